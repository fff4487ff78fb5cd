"""Generates the tables of the reference pages from the code: `python -m tests.docs.generate`.

A page says where, between `<!-- NAME: generated -->` and `<!-- NAME: end -->`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, is_typeddict

from pydantic import BaseModel

from share_actors import errors
from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.exit_verbs import ExitVerbs
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.node_verbs import NodeVerbs
from share_actors.actors.manager.protection_verbs import ProtectionVerbs
from share_actors.actors.manager.quota_verbs import QuotaVerbs
from share_actors.actors.manager.share_verbs import ManagerVerbs
from share_actors.actors.manager.snapshot_verbs import SnapshotVerbs
from share_actors.client import (
    aio,
    backends,
    entities,
    keywords,
    nodes,
    policies,
    queries,
    quotas,
    results,
    subjects,
    watching,
)
from share_actors.client.bulk import batch as bulk
from share_actors.client.share import actor as share_actor
from share_actors.client.share import changes as share_changes
from share_actors.client.share import exits as share_exits
from share_actors.client.share import handle as share
from share_actors.client.share import protection as share_protection
from share_actors.client.share import snapshots as share_snapshots
from share_actors.client.share import watching as share_watching
from share_actors.drivers import errors as port_errors
from share_actors.drivers import storage_errors
from share_actors.drivers.btrfs import BtrfsOptions
from share_actors.drivers.btrfs_servers import BtrfsServersOptions
from share_actors.drivers.dummy.faults import DummyOptions
from share_actors.drivers.execute import ExecuteOptions
from share_actors.drivers.ganesha.mixin import GaneshaOptions
from share_actors.drivers.local import LocalOptions
from share_actors.drivers.local.servers import LocalServersOptions
from share_actors.events.envelope import Envelope
from share_actors.events.topics import COMMANDS, EVENTS
from share_actors.values.checks.limits import LIMITS
from tests.docs import bad_input, driver_promises, manila_words, pictures, shell
from tests.docs.configuration import options, settings
from tests.docs.pages import ROOT
from tests.docs.tables import doc, summary, table
from tests.golden.examples import EXAMPLES, stored
from tests.tenants.callers import CALLERS
from tests.tenants.matrix import MATRIX

PARTS = (
    share_snapshots.AsyncShareSnapshots,
    share_changes.AsyncShareChanges,
    share_protection.AsyncShareProtection,
    share_exits.AsyncShareExits,
    share_snapshots.ShareSnapshots,
    share_changes.ShareChanges,
    share_protection.ShareProtection,
    share_exits.ShareExits,
    share_watching.AsyncShareWatching,
    share_watching.ShareWatching,
    watching.AsyncSystemWatching,
    queries.AsyncSystemQueries,
)
"""Parts of documented classes that are in modules of their own."""
REFERENCE = ROOT / "docs" / "reference"


# -- errors ----------------------------------------------------------------------------------------
def error_classes() -> str:
    rows = (
        (f"`{kind.__name__}`", f"`{code}`", str(kind.exit_code), summary(kind))
        for code, kind in errors.ERRORS.items()
    )
    return table(["Error", "Code", "Exit code", "Meaning"], rows)


def driver_errors() -> str:
    raised = (
        thing
        for thing in {**vars(port_errors), **vars(storage_errors)}.values()
        if isinstance(thing, type) and issubclass(thing, port_errors.DriverError)
    )
    return table(["A driver raises", "Meaning"], ((f"`{e.__name__}`", summary(e)) for e in raised))


# -- events ----------------------------------------------------------------------------------------
def fields(model: type[BaseModel]) -> str:
    rows = [(f"`{name}`", f"`{_annotation(model, name)}`") for name in model.model_fields]
    return table(["Field", "Type"], rows) if rows else "No fields."


def _annotation(model: type[BaseModel], name: str) -> str:
    return str(next(c.__annotations__[name] for c in model.__mro__ if name in c.__annotations__))


def _section(topic: str, model: type[BaseModel], more: str = "") -> str:
    own = doc(model)
    head = f"### {topic}\n\n`{model.__name__}`{more}"
    return "\n\n".join([head, *([own] if own else []), fields(model)])


def events() -> str:
    return "\n\n".join(
        _section(topic, model, f", schema version {model.schema_version}")
        for topic, model in EVENTS.items()
    )


def client_commands() -> str:
    return "\n\n".join(_section(topic, model) for topic, model in COMMANDS.items())


def record() -> str:
    """A row of the log, from its golden file."""
    text = json.dumps(stored(EXAMPLES[1]), indent=1, ensure_ascii=False)
    return f"```json\n{text}\n```"


# -- Python ----------------------------------------------------------------------------------------
def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of *cls*."""
    parts = [part for part in cls.__mro__ if part is cls or part in PARTS]
    for name, thing in (item for part in parts for item in vars(part).items()):
        if name.startswith("_") or getattr(thing, "__isabstractmethod__", False):
            continue
        if callable(thing) or isinstance(thing, property):
            yield name, thing


def signature(function: Callable[..., Any]) -> str:
    """The parameters and the result of *function*, with the class names of the synchronous client."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(_own_signature(function)))
    for ours, theirs in (("AsyncShareSystem", "ShareSystem"), ("AsyncShare", "ShareHandle")):
        text = re.sub(rf"\b{ours}\b", theirs, text)
    text = re.sub(r"Awaitable\[(\w+\[[^]]*\])\]", r"\1", text)
    text = text.replace("AsyncIterator[", "Iterator[")
    return text.replace("(self, ", "(").replace("(self)", "()")


def _own_signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature without the parameters that Ray adds to methods of actor classes."""
    full = inspect.signature(function)
    own = [p for p in full.parameters.values() if not p.name.startswith("_ray")]
    return full.replace(parameters=own)


def members(cls: type) -> Callable[[], str]:
    def told() -> Iterator[str]:
        for name, thing in methods(cls):
            of = "" if isinstance(thing, property) else signature(thing)
            read = thing.fget if isinstance(thing, property) else thing
            yield "\n\n".join([f"#### {name}", f"`{name}{of}`", doc(read)]).rstrip()

    return lambda: "\n\n".join(told())


def dictionaries(module: ModuleType) -> Callable[[], str]:
    """The typed dictionaries that *module* defines, with the keys of each."""

    def written() -> Iterator[str]:
        for name, thing in vars(module).items():
            if is_typeddict(thing) and thing.__module__ == module.__name__:
                rows = ((f"`{key}`", f"`{_plain(kind)}`") for key, kind in _keys(thing).items())
                yield "\n\n".join([f"#### {name}", doc(thing), table(["Key", "Type"], rows)])

    return lambda: "\n\n".join(written())


def _keys(dictionary: type) -> dict[str, Any]:
    """The keys of a typed dictionary and their types, inherited ones last."""
    own = dictionary.__annotations__
    return {key: own[key] for key in sorted(own, key=lambda key: key in ("limit", "marker"))}


def _plain(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", str(annotation))
    return re.sub(r"^NotRequired\[(.*)\]$", r"\1", text)


def remote_methods() -> str:
    """The methods of a share actor: their parameters, and what `ray.get` returns."""
    rows = []
    for name, member in vars(share_actor.ShareActor).items():
        if isinstance(member, share_actor.ShareMethod):
            parameters, _, result = signature(member.__wrapped__).rpartition(" -> ")
            given = "Share" if result == "Self" else result
            rows.append((f"`{name}`", f"`{parameters}`", f"`{given}`"))
    return table(["Method", "Parameters", "`ray.get` returns"], rows)


def functions() -> str:
    made = [(name, getattr(aio, name)) for name in ("start", "connect")]
    return "\n\n".join(f"#### {n}\n\n`{n}{signature(f)}`\n\n{doc(f)}" for n, f in made)


# -- permissions -----------------------------------------------------------------------------------
def permissions() -> str:
    """Who may do what: the cells that `tests/tenants/test_matrix.py` tries."""
    columns = ["", *("another project" if who == "other" else who for who in CALLERS)]
    columns[-1] = "system admin"
    return table(columns, [[operation, *row] for operation, (_, row) in MATRIX.items()])


def limits() -> str:
    rows = ([li.subject, f"{li.least} to {li.most:,}", li.unit] for li in LIMITS)
    return table(["What", "How many", "Of what"], rows)


def answers(door: str) -> Callable[[], str]:
    """The lines of bad input at one door, with what each is answered."""
    return lambda: table(["Input", "Answer"], bad_input.answers()[door])


# -- the pages -------------------------------------------------------------------------------------
SECTIONS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "configuration.md": {
        "settings": settings,
        "options of local": options(LocalOptions),
        "options of local-servers": options(LocalServersOptions),
        "options of btrfs": options(BtrfsOptions),
        "options of btrfs-servers": options(BtrfsServersOptions),
        "options of commands": options(ExecuteOptions),
        "options of ganesha": options(GaneshaOptions),
        "options of dummy": options(DummyOptions),
    },
    "driver-contract.md": {"promises": driver_promises.promises},
    "errors.md": {"errors": error_classes, "driver errors": driver_errors},
    "input.md": {
        "limits": limits,
        **{f"{door} answers": answers(door) for door in bad_input.LINES},
    },
    "events.md": {"events": events, "commands": client_commands},
    "log.md": {"record": record, "envelope": lambda: fields(Envelope)},
    "client.md": {
        "functions": functions,
        "ShareSystem": members(aio.AsyncShareSystem),
        "ShareHandle": members(share.AsyncShare),
        "ShareActor": remote_methods,
        "entities": members(entities.AsyncEntityCollection),
        "networks": members(entities.AsyncShareNetworkCollection),
        "servers": members(entities.AsyncShareServerCollection),
        "types": members(entities.AsyncShareTypeCollection),
        "backends": members(backends.AsyncBackendCollection),
        "bulk": members(bulk.AsyncBulk),
        "subjects": members(subjects.AsyncSubjectCollection),
        "nodes": members(nodes.AsyncNodeCollection),
        "quotas": members(quotas.AsyncQuotaCollection),
        "snapshot policies": members(policies.AsyncSnapshotPolicyCollection),
        "keywords": dictionaries(keywords),
        "results": dictionaries(results),
    },
    "manila.md": manila_words.sections(table),
    "manager.md": {
        "verbs": members(ManagerVerbs),
        "manage verbs": members(ManageVerbs),
        "protection verbs": members(ProtectionVerbs),
        "snapshot verbs": members(SnapshotVerbs),
        "backend verbs": members(BackendVerbs),
        "exit verbs": members(ExitVerbs),
        "node verbs": members(NodeVerbs),
        "quota verbs": members(QuotaVerbs),
    },
    "cli.md": {
        "commands": shell.commands,
        "global options": shell.global_options,
        "list options": shell.list_options,
        "exit codes": shell.exit_codes,
    },
    "lists.md": {"pictures": pictures.pictures},
    "security.md": {"matrix": permissions},
}


def page_named(name: str) -> Path:
    """The path of a page with generated tables."""
    return (REFERENCE.parent if name == "security.md" else REFERENCE) / name


def render(page: Path) -> str:
    """The text of *page* with the text between its markers generated again."""
    text = page.read_text(encoding="utf-8")
    for name, written in SECTIONS[page.name].items():
        start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{page} has no place for {name!r}")
        text = f"{before}{start}\n{written()}\n{end}{after}"
    return text


def main() -> None:
    for name in SECTIONS:
        page_named(name).write_text(render(page_named(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
