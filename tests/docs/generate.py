"""Generates the tables of the reference pages from the code: `python -m tests.docs.generate`.

A page says where, between `<!-- NAME: generated -->` and `<!-- NAME: end -->`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, is_typeddict

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from share_actors import config, errors
from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.exit_verbs import ExitVerbs
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.share_verbs import ManagerVerbs
from share_actors.actors.manager.snapshot_verbs import SnapshotVerbs
from share_actors.client import aio, backends, entities, keywords, queries, results, subjects
from share_actors.client.bulk import batch as bulk
from share_actors.client.share import actor as share_actor
from share_actors.client.share import changes as share_changes
from share_actors.client.share import exits as share_exits
from share_actors.client.share import handle as share
from share_actors.client.share import snapshots as share_snapshots
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
from tests.docs import bad_input, manila_words, shell
from tests.docs.pages import ROOT
from tests.golden.examples import EXAMPLES, stored
from tests.tenants.callers import CALLERS
from tests.tenants.test_matrix import MATRIX

PARTS = (
    share_snapshots.AsyncShareSnapshots,
    share_changes.AsyncShareChanges,
    share_exits.AsyncShareExits,
    share_snapshots.ShareSnapshots,
    share_changes.ShareChanges,
    share_exits.ShareExits,
    queries.AsyncSystemQueries,
)
"""Parts of documented classes that are in modules of their own."""
REFERENCE = ROOT / "docs" / "reference"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [[*columns], *([*row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def doc(thing: object) -> str:
    """The docstring of *thing*, not inherited, with *names* in code type."""
    own = getattr(thing, "__doc__", None) or ""
    return re.sub(r"(?<!\*)\*(\w+)\*(?!\*)", r"`\1`", inspect.cleandoc(own))


def summary(thing: object) -> str:
    return doc(thing).partition("\n\n")[0]


# -- configuration -------------------------------------------------------------------------------
_SHOWN_DEFAULTS = {
    "home": "`~/.local/state/share-actors`",
    "backends": "one backend `local`, in the directory `shares` of the home",
}
_NOTES = {
    "options.reserved_percentage": "Percentage of the capacity that is left free.",
    "options.max_over_subscription_ratio": "Shares may be provisioned up to this multiple of the capacity.",
    "options.capacity_gib": "The capacity that the statistics report.",
    "options.addresses_per_server": "Number of addresses of each share server.",
    "options.command_timeout_s": "A command that takes longer is killed, with the processes that it started.",
    "options.ganesha_service_name": "The name of Ganesha's service.",
}
"""Meanings of fields without a docstring in the code."""


def notes(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings of the fields of *model*, by field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            found[ast.unparse(field.target)] = str(ast.literal_eval(after.value))
    return found


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Every configuration key under *model*, with its field and its meaning."""
    said: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls.__module__.startswith("share_actors"):
            said |= notes(cls)
    for name, field in model.model_fields.items():
        inner = field.annotation
        if get_origin(inner) is dict and get_args(inner)[1] is config.BackendSettings:
            yield prefix + name, field, said[name]
            yield from keys(config.BackendSettings, f"{name}.NAME.")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{name}.")
        else:
            yield prefix + name, field, said.get(name) or _NOTES[prefix + name]


def kind(field: FieldInfo) -> str:
    """The kind of values that *field* accepts, in words."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(field.annotation))
    text = str(field.annotation)
    is_table = re.search(r"\bdict\b", text) is not None
    if is_table or "tuple" in text:
        return "table" if is_table else "list of text"
    words = (
        ("SecretStr", "text, secret"),
        ("Path", "path"),
        ("bool", "`true` or `false`"),
        ("int", "whole number"),
        ("float", "number"),
        ("str", "text"),
        ("Any", "anything"),
    )
    plain = next(plain for name, plain in words if re.search(rf"\b{name}\b", text))
    return plain + _bounds(field) + "".join(f" or `{word}`" for word in _literals(field))


def _literals(field: FieldInfo) -> list[object]:
    """The words that *field* takes beside values of another type."""
    alternatives = get_args(field.annotation)
    return [word for part in alternatives if get_origin(part) is Literal for word in get_args(part)]


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    limits = [
        f"{said} {getattr(limit, name):,}"
        for limit in field.metadata
        for name, said in words.items()
        if hasattr(limit, name)
    ]
    return ", " + ", ".join(limits) if limits else ""


def default(key: str, field: FieldInfo) -> str:
    """The default of *field*, as a cell of the table."""
    if key in _SHOWN_DEFAULTS:
        return _SHOWN_DEFAULTS[key]
    if field.is_required():
        return "required"
    value = field.default
    if value is None or str(value) == "":
        return "-"
    return f"`{json.dumps(value, default=str)}`"


def variable(key: str) -> str:
    return "SHARE_ACTORS_" + key.upper().replace(".", "__")


def settings() -> str:
    rows = (
        (f"`{key}`", kind(field), default(key, field), f"`{variable(key)}`", said)
        for key, field, said in keys(config.Config)
    )
    return table(["Key", "Takes", "Default", "Variable", "Meaning"], rows)


def options(model: type[BaseModel]) -> Callable[[], str]:
    def rows() -> Iterator[tuple[str, ...]]:
        for key, field, said in keys(model, "options."):
            yield f"`{key}`", kind(field), default(key, field), said

    return lambda: table(["Option", "Takes", "Default", "Meaning"], rows())


# -- errors --------------------------------------------------------------------------------------
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


# -- events --------------------------------------------------------------------------------------
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


# -- Python --------------------------------------------------------------------------------------
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


# -- the pages -----------------------------------------------------------------------------------
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
        "keywords": dictionaries(keywords),
        "results": dictionaries(results),
    },
    "manila.md": manila_words.sections(table),
    "manager.md": {
        "verbs": members(ManagerVerbs),
        "manage verbs": members(ManageVerbs),
        "snapshot verbs": members(SnapshotVerbs),
        "backend verbs": members(BackendVerbs),
        "exit verbs": members(ExitVerbs),
    },
    "cli.md": {
        "commands": shell.commands,
        "global options": shell.global_options,
        "exit codes": shell.exit_codes,
    },
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
