"""The reference pages are complete and match the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import share_actors
from benchmarks.__main__ import FLOORS
from share_actors import client
from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.share_verbs import ManagerVerbs
from share_actors.cli import EXIT_CODES
from share_actors.client import aio, backends, entities, nodes, quotas, subjects
from share_actors.client.bulk import batch as bulk
from share_actors.client.share import handle as share
from share_actors.client.sync import bulk as sync_bulk
from share_actors.client.sync import entities as sync_entities
from share_actors.client.sync import quotas as sync_quotas
from share_actors.config import Config
from share_actors.errors import ERRORS
from share_actors.events.topics import COMMANDS, EVENTS
from tests.docs import shell
from tests.docs.configuration import keys, variable
from tests.docs.generate import REFERENCE, SECTIONS, methods, page_named, render
from tests.docs.pages import ROOT


def said(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", SECTIONS)
def test_generated_tables_match_the_code(page: str) -> None:
    fresh = render(page_named(page))

    assert page_named(page).read_text(encoding="utf-8") == fresh, (
        "run `python -m tests.docs.generate`"
    )


def test_every_configuration_key_has_its_variable_and_a_meaning() -> None:
    page = said("configuration.md")

    for key, _, meaning in keys(Config):
        assert f"| `{key}` |" in page
        assert f"| `{variable(key)}` |" in page
        assert meaning, key


def test_every_error_has_its_code_and_exit_code() -> None:
    page = said("errors.md")

    for code, kind in ERRORS.items():
        assert f"| `{kind.__name__}` | `{code}` | {kind.exit_code} |" in page


def test_every_topic_of_events_and_commands_is_documented() -> None:
    page = said("events.md")

    for topic in (*EVENTS, *COMMANDS):
        assert f"### {topic}\n" in page


def test_every_public_name_is_documented() -> None:
    page = said("client.md")

    for name in share_actors.__all__:
        assert re.search(rf"`{name}\b", page), name


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (client.ShareSystem, aio.AsyncShareSystem),
        (client.ShareHandle, share.AsyncShare),
        (sync_entities.EntityCollection, entities.AsyncEntityCollection),
        (sync_entities.ShareNetworkCollection, entities.AsyncShareNetworkCollection),
        (sync_entities.ShareServerCollection, entities.AsyncShareServerCollection),
        (sync_entities.ShareTypeCollection, entities.AsyncShareTypeCollection),
        (sync_entities.BackendCollection, backends.AsyncBackendCollection),
        (sync_bulk.Bulk, bulk.AsyncBulk),
        (subjects.SubjectCollection, subjects.AsyncSubjectCollection),
        (nodes.NodeCollection, nodes.AsyncNodeCollection),
        (sync_quotas.QuotaCollection, quotas.AsyncQuotaCollection),
    ],
)
def test_every_method_of_the_client_is_documented_and_the_asynchronous_client_has_the_same(
    ours: type, theirs: type
) -> None:
    page = said("client.md")

    told = {name for name, _ in methods(theirs)}
    assert {name for name, _ in methods(ours)} - {"manager", "config", "context"} <= told | {
        "id",
        "receipt",
        "networks",
        "servers",
        "types",
        "backends",
        "bulk",
        "subjects",
        "nodes",
        "quotas",
        "snapshot_policies",
    }
    assert all(f"#### {name}\n" in page for name in told)


def test_a_share_actor_has_every_method_of_a_share_and_each_is_documented() -> None:
    section = said("client.md").partition("<!-- ShareActor: generated -->")[2]
    table = section.partition("<!-- ShareActor: end -->")[0]
    of_shares = {n for n, thing in methods(share.AsyncShare) if not isinstance(thing, property)}

    told = set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))
    assert told - {"show"} == of_shares - {"refresh", "watch"}


def test_every_command_and_exit_code_is_documented() -> None:
    page = said("cli.md")

    for path, _ in shell.leaves():
        assert f"### {path}\n" in page
    for code in EXIT_CODES:
        assert f"| {code} |" in page


def test_exit_codes_of_errors_are_those_of_the_command_line() -> None:
    assert {kind.exit_code for kind in ERRORS.values()} <= EXIT_CODES.keys()


def test_every_verb_of_manila_is_documented_as_present_or_absent() -> None:
    manila = (
        "allow_access create_share create_snapshot delete_free_share_servers delete_share"
        " delete_share_server delete_snapshot deny_access init_host manage_share"
        " publish_service_capabilities unmanage_share"
    )
    page = said("manager.md")

    for verb in manila.split():
        assert f"`{verb}(" in page
    for verb, _ in (*methods(ManagerVerbs), *methods(ManageVerbs), *methods(BackendVerbs)):
        assert verb == "RPC_API_VERSION" or f"#### {verb}\n" in page


def test_every_figure_of_the_benchmarks_and_its_floor_are_documented() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    for key, (_, floor) in FLOORS.items():
        [row] = [line for line in page.splitlines() if line.startswith("|") and f"`{key}`" in line]
        assert f"{floor:,g}" in row, key


def test_every_dependency_is_justified() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for group in optional for name in group)]
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

    for requirement in wanted:
        name = re.split(r"[\[<>=]", requirement)[0]
        assert name == "share-actors" or f"`{name}`" in page, name


def test_constraints_pin_every_dependency_and_name_no_index() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}

    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name = re.split(r"[\[<>=]", requirement)[0]
        assert name == "share-actors" or name in names, name


def test_the_changelog_has_an_entry_for_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert f"## [{project['version']}]" in Path(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
