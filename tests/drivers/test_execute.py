"""Commands of drivers: no shell, a time limit, Manila's retries, and masked secrets."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytest
from pydantic import SecretStr

from share_actors.drivers.base import DriverError
from share_actors.drivers.execute import (
    ExecuteMixin,
    ExecuteOptions,
    ProcessExecutionError,
    execute,
    masked_command,
)
from share_actors.drivers.ganesha.mixin import GaneshaMixin, GaneshaOptions
from share_actors.values.secret import Secret

PYTHON = sys.executable


class CommandDriver(ExecuteMixin, GaneshaMixin):
    """The part of a driver that runs commands."""

    def __init__(self, options: Any = None, **kwargs: Any) -> None:
        self.configuration = options or ExecuteOptions()
        self.init_execute_mixin(**kwargs)
        self.init_ganesha_mixin()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The durations of sleeps, which return immediately."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


# -- one command ---------------------------------------------------------------------------------
def test_the_output_of_a_command_is_returned() -> None:
    assert execute("echo", "a b") == ("a b\n", "")
    assert execute("cat", input="given")[0] == "given"


@pytest.mark.parametrize("word", ["$(id)", "; echo no", "`id`", "a'b\"c", "*", "|cat", "&&", "\n"])
def test_arguments_are_not_interpreted_by_a_shell(word: str) -> None:
    assert execute("printf", "%s", word)[0] == word


def test_the_error_of_a_failed_command_has_its_exit_code_and_output() -> None:
    with pytest.raises(ProcessExecutionError, match="exited with 3: no luck") as failed:
        execute("sh", "-c", "echo no luck >&2; exit 3")

    assert failed.value.exit_code == 3
    assert failed.value.stderr == "no luck\n"


@pytest.mark.parametrize("accepted", [3, (0, 3), [3], False])
def test_other_exit_codes_can_be_accepted(accepted: Any) -> None:
    assert execute("sh", "-c", "exit 3", check_exit_code=accepted) == ("", "")


def test_a_missing_program_is_a_driver_error() -> None:
    with pytest.raises(DriverError, match="No such file") as missing:
        execute("no-such-program")
    assert not isinstance(missing.value, ProcessExecutionError)


def test_a_command_that_times_out_is_killed_with_its_child_processes() -> None:
    began = time.monotonic()

    with pytest.raises(ProcessExecutionError, match="timed out"):
        execute("sh", "-c", "sleep 30 & sleep 30", timeout_s=0.2)

    assert time.monotonic() - began < 20


def test_output_that_is_not_text_is_escaped() -> None:
    assert execute(PYTHON, "-c", "import os; os.write(1, b'\\xff')")[0] == "\\xff"


# -- secrets -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "command",
    [
        ("mount", Secret("s3cret")),
        ("mount", SecretStr("s3cret")),
        ("mount", "-o", "password=s3cret"),
        ("mount", "--password", "s3cret"),
        ("mount", "--api-token=s3cret", "x"),
    ],
)
def test_secrets_are_masked_in_a_shown_command(command: tuple[Any, ...]) -> None:
    assert "s3cret" not in masked_command(command)
    assert "********" in masked_command(command)


def test_secrets_are_masked_in_logs_and_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ProcessExecutionError) as failed:
        execute("sh", "-c", 'echo "bad: $0" >&2; exit 1', Secret("s3cret"))

    assert "bad: ********" in str(failed.value)
    assert "s3cret" not in f"{failed.value} {failed.value.stderr} {failed.value.cmd} {caplog.text}"


# -- the mixin -----------------------------------------------------------------------------------
def test_a_privileged_command_gets_the_configured_prefix() -> None:
    driver = CommandDriver(ExecuteOptions(privileged_prefix=("env", "ROOT=yes")))

    assert driver._execute("sh", "-c", "echo $ROOT", run_as_root=True)[0] == "yes\n"
    assert driver._execute("sh", "-c", "echo $ROOT")[0] == "\n"


def test_the_time_limit_is_configured() -> None:
    driver = CommandDriver(ExecuteOptions(command_timeout_s=0.2))

    with pytest.raises(ProcessExecutionError, match="timed out"):
        driver._execute("sleep", "30")


def test_a_failed_command_is_run_three_times_one_and_four_seconds_apart(
    pauses: list[float],
) -> None:
    calls: list[tuple[object, ...]] = []

    def failing(*command: object, **options: Any) -> tuple[str, str]:
        calls.append(command)
        raise ProcessExecutionError("mount", 1, "", "no")

    with pytest.raises(ProcessExecutionError):
        CommandDriver(execute=failing)._try_execute("mount", "x", run_as_root=True)

    assert calls == [("mount", "x")] * 3
    assert pauses == [1, 4]


def test_a_command_that_succeeds_the_second_time_is_run_twice(pauses: list[float]) -> None:
    results: list[Any] = [ProcessExecutionError("mount", 1, "", "no"), ("done", "")]

    def flaky(*command: object, **options: Any) -> tuple[str, str]:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return str(result[0]), str(result[1])

    driver = CommandDriver()
    driver.set_execute(flaky)

    assert driver._try_execute("mount") == ("done", "")
    assert pauses == [1]


def test_a_missing_program_is_not_tried_again(pauses: list[float]) -> None:
    with pytest.raises(DriverError, match="No such file"):
        CommandDriver()._try_execute("no-such-program")
    assert pauses == []


# -- ganesha -------------------------------------------------------------------------------------
def test_ganeshas_options_have_manilas_defaults() -> None:
    options = CommandDriver().ganesha

    assert str(options.config_path) == "/etc/ganesha/ganesha.conf"
    assert str(options.export_dir) == "/etc/ganesha/export.d"
    assert options.ganesha_service_name == "ganesha.nfsd"


def test_a_driver_with_ganesha_options_uses_its_own() -> None:
    given = GaneshaOptions(ganesha_config_dir="/srv/g", ganesha_export_dir="/srv/exports")

    options = CommandDriver(given).ganesha

    assert str(options.config_path) == "/srv/g/ganesha.conf"
    assert str(options.export_dir) == "/srv/exports"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ganesha_config_dir": "etc"},
        {"ganesha_db_path": "/a/../b"},
        {"ganesha_service_name": "a b"},
    ],
)
def test_invalid_ganesha_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GaneshaOptions(**wrong)
