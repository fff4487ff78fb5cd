"""ExecuteMixin (`manila.share.driver.ExecuteMixin`): commands without a shell, with limits and masks.

Arguments go to the program as they are, never through a shell. A secret among them is a `Secret`, or the
value of an option whose name says so: neither logs nor errors show it.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, SecretStr

from share_actors.drivers.base import DriverError, DriverOptions
from share_actors.redaction import MASK, looks_secret

logger = logging.getLogger(__name__)
LONGEST = 2_000
Execute = Callable[..., tuple[str, str]]
"""Runs a command: `(*command, run_as_root, check_exit_code, timeout_s, input)` to (stdout, stderr)."""


class Secret(str):
    """An argument that is not shown."""

    __slots__ = ()


class ExecuteOptions(DriverOptions):
    """How a driver's commands are run."""

    privileged_prefix: tuple[str, ...] = ("sudo", "-n")
    """What comes before a command that needs root; empty: nothing, as when all runs as root."""
    command_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    num_shell_tries: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a command that failed is run in all (Manila's option of this name)."""


class ProcessExecutionError(DriverError):
    """A command failed (`oslo_concurrency.processutils.ProcessExecutionError`)."""

    def __init__(self, cmd: str, exit_code: int | None, stdout: str, stderr: str) -> None:
        ended = "did not end in time" if exit_code is None else f"ended with {exit_code}"
        super().__init__(f"{cmd}: {ended}: {(stderr or stdout).strip() or 'it said nothing'}")
        self.cmd, self.exit_code, self.stdout, self.stderr = cmd, exit_code, stdout, stderr


def execute(
    *command: object,
    run_as_root: bool = False,
    prefix: Sequence[str] = (),
    check_exit_code: Iterable[int] | int | bool = (0,),
    timeout_s: float | None = 60.0,
    input: str | None = None,  # noqa: A002 - the name that Manila's drivers use
    env: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Run *command* and return what it wrote; *check_exit_code* False accepts any exit code.

    Raises `ProcessExecutionError`, also when it takes longer than *timeout_s*, and `DriverError` if there
    is no such program. `run_as_root` puts *prefix* before it.
    """
    words = [*(prefix if run_as_root else ()), *map(str, command)]
    shown = masked_command([*(prefix if run_as_root else ()), *command])
    logger.debug("running %s", shown)
    try:
        code, out, err = _ran(words, timeout_s, input, env)
    except subprocess.TimeoutExpired as error:
        raise ProcessExecutionError(shown, None, _text(error.stdout), "") from None
    except (FileNotFoundError, PermissionError) as error:
        raise DriverError(f"{shown}: {error.strerror}") from None
    if not _accepted(code, check_exit_code):
        said = (_hidden(text, _secrets(command))[:LONGEST] for text in (out, err))
        raise ProcessExecutionError(shown, code, *said)
    return out, err


def _ran(
    words: list[str], timeout_s: float | None, given: str | None, env: Mapping[str, str] | None
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; on a time-out the command and all that it started are killed."""
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        shell=False,
        env=None if env is None else dict(env),
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(given, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, out, err


def masked_command(command: Sequence[object]) -> str:
    """*command* as it may be shown: one that can be pasted into a shell, but for its secrets."""
    secrets = _secrets(command)
    return shlex.join(_hidden(str(word), secrets) for word in command)


def _secrets(command: Sequence[object]) -> list[str]:
    """What must not be shown: each `Secret`, and what follows an option that says it is one."""
    found = [str(word) for word in command if isinstance(word, Secret | SecretStr)]
    found += [word.get_secret_value() for word in command if isinstance(word, SecretStr)]
    before = ""
    for word in map(str, command):
        name, equals, value = word.partition("=")
        if equals and looks_secret(name):
            found.append(value)
        elif before.startswith("-") and looks_secret(before) and not word.startswith("-"):
            found.append(word)
        before = word
    return [secret for secret in found if secret]


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _accepted(code: int, wanted: Iterable[int] | int | bool) -> bool:
    if isinstance(wanted, bool):
        return code == 0 if wanted else True
    return code == wanted if isinstance(wanted, int) else code in wanted


def _text(said: bytes | str | None) -> str:
    return said.decode("utf-8", "backslashreplace") if isinstance(said, bytes) else said or ""


class ExecuteMixin:
    """For drivers that run commands; call `init_execute_mixin` in `__init__`, after `configuration` is set.

    `_execute(*command, run_as_root=..., ...)` runs one; `_try_execute` runs it again when it fails.
    """

    configuration: Any
    _execute: Execute

    def init_execute_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Take the executor that *kwargs* brings (`execute`), or else the one above."""
        self.set_execute(kwargs.pop("execute", None) or self._run)

    def set_execute(self, execute: Execute) -> None:
        """Run commands by *execute* from now on."""
        self._execute = execute

    def _run(self, *command: object, **options: Any) -> tuple[str, str]:
        known = _options_of(self.configuration)
        options.setdefault("prefix", known.privileged_prefix)
        options.setdefault("timeout_s", known.command_timeout_s)
        return execute(*command, **options)

    def _try_execute(self, *command: object, **options: Any) -> tuple[str, str]:
        """As `_execute`, and again when it fails: after 1 s, 4 s, 9 s... up to `num_shell_tries` runs."""
        most, tries = _options_of(self.configuration).num_shell_tries, 0
        while True:
            try:
                return self._execute(*command, **options)
            except ProcessExecutionError as error:
                tries += 1
                if tries >= most:
                    raise
                logger.warning("recovering from a failed command, try %d: %s", tries, error)
                time.sleep(tries**2)


def _options_of(configuration: Any) -> ExecuteOptions:
    return configuration if isinstance(configuration, ExecuteOptions) else ExecuteOptions()
