"""A command imports what it needs and nothing else: start-up is what every user waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from share_actors.cli.commands import LISTED
from share_actors.cli.groups import ListedCommand
from tests.docs.shell import root

COMMANDS = "share_actors.cli.commands"
LOG = f"{COMMANDS}.log"
HEAVY = ("ray", "eventsourcing", "pydantic_settings", "cryptography", "share_actors.events.share")
MODEL = "pydantic"
_PROGRAM = """
import atexit, json, sys
atexit.register(lambda: open(sys.argv.pop(), "w").write(json.dumps(sorted(sys.modules))))
from share_actors.cli import app
app(sys.argv[1:-1], prog_name="share-actors")
"""


def modules_of(tmp_path: Path, *words: str, code: int = 0, **variables: str) -> set[str]:
    """The modules that the command line *words* imports, in a process of its own."""
    file = tmp_path / "modules.json"
    environment = os.environ | {"SHARE_ACTORS_HOME": str(tmp_path), **variables}
    program = [sys.executable, "-c", _PROGRAM, *words, str(file)]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    return set(json.loads(file.read_text()))


def commands_in(modules: set[str]) -> set[str]:
    """The modules of commands among *modules*, without packages."""
    package = f"{COMMANDS}."
    groups = {f"{package}{name}" for name in ("log", "share", "backend", "system")}
    return {name for name in modules if name.startswith(package)} - groups


def test_the_version_is_printed_without_any_command_and_without_any_model(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "--version", "--json")
    assert not commands_in(modules)
    assert not modules & {*HEAVY, MODEL, "rich.console"}


def test_the_help_of_the_program_imports_no_command_and_no_model(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "--help")
    assert not commands_in(modules)
    assert not modules & {*HEAVY, MODEL}


@pytest.mark.parametrize(
    ("line", "imported"),
    [
        ("share-actors s", "no module"),
        ("share-actors log re", LOG),
        ("share-actors type l", COMMANDS),
    ],
)
def test_completion_imports_only_the_group_that_is_completed(
    tmp_path: Path, line: str, imported: str
) -> None:
    modules = modules_of(
        tmp_path,
        _SHARE_ACTORS_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(line.count(" ")),
    )
    assert all(name.startswith(imported) for name in commands_in(modules))
    assert bool(commands_in(modules)) is (imported != "no module")
    assert not modules & {*HEAVY}


def test_the_help_of_a_log_command_reads_no_log(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "log", "show", "--help")
    assert {name.startswith(LOG) for name in commands_in(modules)} == {True}
    assert not modules & {*HEAVY}


def test_reading_a_log_imports_no_ray_and_no_command_of_another_group(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "log", "tail", "--json", code=12)
    assert {name.startswith(LOG) for name in commands_in(modules)} == {True}
    assert "ray" not in modules


def test_a_command_imports_ray_only_when_a_system_is_running(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "share", "list", "--json", code=11)
    assert not modules & {"ray", "eventsourcing", "share_actors.events.share", "rich.console"}


@pytest.mark.parametrize("name", [name for name, listed in LISTED.items() if not listed.is_group])
def test_the_summary_of_a_listed_command_is_the_first_paragraph_of_its_help(name: str) -> None:
    command = root().commands[name]
    assert isinstance(command, ListedCommand)
    assert command.built.help.split("\n\n")[0] == LISTED[name].summary


def test_the_commands_of_a_group_are_in_the_order_of_its_modules_whatever_was_imported_before() -> (
    None
):
    import_module(f"{COMMANDS}.share.revert")
    assert list(root().commands["share"].commands)[:2] == ["create", "list"]
