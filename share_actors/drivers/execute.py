"""ExecuteMixin (`manila.share.driver.ExecuteMixin`): run commands without a shell, with time limits.

Arguments are passed to the program unchanged; no shell interprets them. A command keeps the locks of its
caller until it ends (`command_process`), and the commands of one share run one after the other
(`command_locks`). Secret arguments are masked in logs and errors: each `Secret` or `SecretStr`, and the value
of an option with a name like that of a secret.
"""

from __future__ import annotations

import logging
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr

from share_actors.drivers.base import DriverError, DriverOptions
from share_actors.drivers.command_locks import default_directory, no_other_command
from share_actors.drivers.command_process import run_process
from share_actors.drivers.fence import check_deadline
from share_actors.redaction import MASK, looks_secret, scrubbed
from share_actors.values.checks.limits import MAX_SECONDS
from share_actors.values.secret import Secret

logger = logging.getLogger(__name__)
MAX_SHOWN = 2_000
"""How many characters of a command's output an error shows."""
Execute = Callable[..., tuple[str, str]]
"""Runs a command: `(*command, run_as_root, check_exit_code, timeout_s, input)` to (stdout, stderr)."""


class ExecuteOptions(DriverOptions):
    """Options of drivers that run commands."""

    privileged_prefix: tuple[str, ...] = ("sudo", "-n")
    """The prefix of a command that needs root; empty if the whole system runs as root."""
    command_timeout_s: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 60.0
    num_shell_tries: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a failing command is run in total (Manila's option of this name)."""
    lock_path: Path | None = None
    """The directory of the locks that keep the commands of one share apart, also after the process that
    started one was killed. Default: `~/.local/state/share-actors-commands`."""


class ProcessExecutionError(DriverError):
    """A command failed (`oslo_concurrency.processutils.ProcessExecutionError`)."""

    def __init__(self, cmd: str, exit_code: int | None, stdout: str, stderr: str) -> None:
        result = "timed out" if exit_code is None else f"exited with {exit_code}"
        super().__init__(f"{cmd}: {result}: {(stderr or stdout).strip() or 'no output'}")
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
    """Run *command* and return its (stdout, stderr); *check_exit_code* False accepts any exit code.

    Raises `ProcessExecutionError` for an unexpected exit code or if it takes longer than *timeout_s*, and
    `DriverError` if the program does not exist. `run_as_root` puts *prefix* before the command.
    """
    words = [*(prefix if run_as_root else ()), *map(str, command)]
    shown = masked_command([*(prefix if run_as_root else ()), *command])
    logger.debug("running %s", shown)
    try:
        is_killable = not (run_as_root and prefix)
        code, out, err = run_process(words, timeout_s, input, env, is_killable=is_killable)
    except subprocess.TimeoutExpired as error:
        output_so_far = scrubbed(_mask(_text(error.stdout), _secrets(command)))[:MAX_SHOWN]
        raise ProcessExecutionError(shown, None, output_so_far, "") from None
    except (FileNotFoundError, PermissionError) as error:
        raise DriverError(f"{shown}: {error.strerror}") from None
    if not _accepted(code, check_exit_code):
        output = (scrubbed(_mask(text, _secrets(command)))[:MAX_SHOWN] for text in (out, err))
        raise ProcessExecutionError(shown, code, *output)
    return out, err


def masked_command(command: Sequence[object]) -> str:
    """*command* in shell syntax with masked secrets, for logs and errors."""
    secrets = _secrets(command)
    return shlex.join(scrubbed(_mask(str(word), secrets)) for word in command)


def _secrets(command: Sequence[object]) -> list[str]:
    """The arguments to mask: each `Secret`, and the value of an option with a name like that of a secret."""
    secrets = [str(word) for word in command if isinstance(word, Secret | SecretStr)]
    secrets += [word.get_secret_value() for word in command if isinstance(word, SecretStr)]
    previous = ""
    for word in map(str, command):
        name, equals, value = word.partition("=")
        if equals and looks_secret(name):
            secrets.append(value)
        elif previous.startswith("-") and looks_secret(previous) and not word.startswith("-"):
            secrets.append(word)
        previous = word
    return [secret for secret in secrets if secret]


def _mask(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _accepted(code: int, expected: Iterable[int] | int | bool) -> bool:
    if isinstance(expected, bool):
        return code == 0 if expected else True
    return code == expected if isinstance(expected, int) else code in expected


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "backslashreplace") if isinstance(output, bytes) else output or ""


class ExecuteMixin:
    """For drivers that run commands; call `init_execute_mixin` in `__init__`, after `configuration` is set.

    `_execute(*command, run_as_root=..., ...)` runs a command once; `_try_execute` retries one that fails.
    """

    configuration: Any
    _execute: Execute

    def init_execute_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Use the executor `kwargs["execute"]`, or by default the function `execute` of this module."""
        self.set_execute(kwargs.pop("execute", None) or self._run)

    def set_execute(self, execute: Execute) -> None:
        """Run commands with *execute* from now on."""
        self._execute = execute

    def _run(self, *command: object, **options: Any) -> tuple[str, str]:
        settings = _execute_options(self.configuration)
        options.setdefault("prefix", settings.privileged_prefix)
        options.setdefault("timeout_s", settings.command_timeout_s)
        prefix = options["prefix"] if options.get("run_as_root") else ()
        shown = masked_command([*prefix, *command])
        with no_other_command(settings.lock_path or default_directory(), shown):
            return execute(*command, **options)

    def _try_execute(self, *command: object, **options: Any) -> tuple[str, str]:
        """Run `_execute`, and repeat it on failure after 1 s, 4 s, 9 s..., up to `num_shell_tries` runs."""
        max_tries, tries = _execute_options(self.configuration).num_shell_tries, 0
        while True:
            try:
                return self._execute(*command, **options)
            except ProcessExecutionError as error:
                tries += 1
                if tries >= max_tries:
                    raise
                logger.warning("retrying a failed command, try %d: %s", tries, error)
                time.sleep(tries**2)
                check_deadline(error.cmd)


def _execute_options(configuration: Any) -> ExecuteOptions:
    return configuration if isinstance(configuration, ExecuteOptions) else ExecuteOptions()
