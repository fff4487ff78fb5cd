"""The command line takes any text: it is accepted, or refused with an exit code of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from share_actors.cli import EXIT_CODES
from share_actors.cli.session import Session
from tests.command_tree import invoke
from tests.docs.shell import PROGRAM, leaves
from tests.input.conftest import Tried
from tests.input.values import TEXTS

DEFECT = 1
GROUPS = (
    "share",
    "access",
    "snapshot",
    "network",
    "server",
    "type",
    "backend",
    "catalog",
    "receipt",
)
"""The commands that ask a running system."""
ENDLESS = ("--watch",)
NONE = "7b2e8caf-8d0b-4d5e-9b0e-2f4a1a1f5d11"
VALID = {
    "size": "3",
    "to": "alice",
    "cidr": "10.0.0.0/24",
    "kind": "ldap",
    "option": "size=1",
    "location": "/old",
    "share": "tried",
    "shares": "tried",
    "snapshots": NONE,
    "condition": "available",
}


class Parameter(NamedTuple):
    """One argument or option of a command, and the command's."""

    command: str
    name: str

    def __str__(self) -> str:
        return f"{self.command} {self.name}"


COMMANDS = {
    path.removeprefix(f"{PROGRAM} "): command
    for path, command in leaves()
    if path.split()[1] in GROUPS
}
PARAMETERS = [
    Parameter(path, parameter.name)
    for path, command in COMMANDS.items()
    for parameter in command.params
    if not set(parameter.opts) & {*ENDLESS, "--help", "--config", "--address", "--namespace"}
    and not getattr(parameter, "is_flag", False)
]


@pytest.fixture
def command_line(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> Tried:
    """The command line, on the system in this process."""
    tried.share.refresh()
    monkeypatch.setattr(Session, "system", tried.system)
    return tried


def words(tried: Parameter, text: str) -> list[str]:
    """The command line with *text* for one parameter, and valid values for those that are required."""
    arguments, options = [], []
    for parameter in COMMANDS[tried.command].params:
        if parameter.name != tried.name and not parameter.required:
            continue
        value = text if parameter.name == tried.name else VALID.get(parameter.name, NONE)
        if parameter.param_type_name == "argument":
            arguments.append(value)
        else:
            options.append(f"{parameter.opts[0]}={value}")
    return [*tried.command.split(), *options, "--", *arguments]


def run(command_line: Tried, parameter: Parameter, text: str) -> None:
    result = invoke(words(parameter, text))

    assert result.exit_code in EXIT_CODES.keys() - {DEFECT}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
def test_an_odd_text_is_accepted_or_refused(command_line: Tried, parameter: Parameter) -> None:
    for text in ("", "nan", "\udcff", "backend:dummy"):
        run(command_line, parameter, text)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parameter=st.sampled_from(PARAMETERS), text=st.sampled_from(TEXTS) | st.text())
def test_any_text_is_accepted_or_refused(
    command_line: Tried, parameter: Parameter, text: str
) -> None:
    run(command_line, parameter, text)


@pytest.mark.parametrize("timeout", ["nan", "-1", "many"])
@pytest.mark.parametrize("command", ["share create --size=1", "share extend tried --size=9"])
def test_an_invalid_timeout_is_refused_before_the_command_does_anything(
    command_line: Tried, command: str, timeout: str
) -> None:
    before = command_line.system.count_shares(), command_line.share.refresh().size

    result: Any = invoke([*command.split(), f"--timeout={timeout}"])

    assert result.exit_code == 2
    assert before == (command_line.system.count_shares(), command_line.share.refresh().size)
