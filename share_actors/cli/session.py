"""One run of the command line: the global options, and what they lead to."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import getpass
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState, check_answers
from share_actors.cli.output import Output
from share_actors.errors import ShareActorsError, Unavailable

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem
    from share_actors.config import Config

INTERRUPTED = 130
"""Ctrl-C, as shells say it: 128 and the number of the signal."""
START_ONE = "Start one with `share-actors up`."
STARTED_OUT = "Nothing was lost: start it again with `share-actors up`."


@dataclass(frozen=True)
class Options:
    """What may stand before or after any subcommand."""

    config: Path | None = None
    address: str | None = None
    namespace: str | None = None
    user: str | None = None
    project: str | None = None
    json: bool = False
    debug: bool = False

    def replace(self, **given: Any) -> Options:
        """These, overridden by what was *given*."""
        return Options(**{**self.__dict__, **{k: v for k, v in given.items() if v}})


class Session:
    """What a command works with: its configuration, the running system, and where to write."""

    def __init__(self, options: Options, command: str = "") -> None:
        self.options, self.command = options, command
        self.output = Output(as_json=options.json)
        self.recorded: str | None = None
        """The share whose request is recorded and still waited for."""
        self.when_stopped = "Stopped. What was recorded by then goes on; see `share-actors status`."

    @property
    def json(self) -> bool:
        return self.options.json

    @cached_property
    def config(self) -> Config:
        """The file and the environment; raises `ConfigError`."""
        from share_actors.config import load

        if self.options.namespace:
            os.environ["SHARE_ACTORS_NAMESPACE"] = self.options.namespace
        return load(self.options.config)

    @property
    def home(self) -> Path:
        return self.config.home

    def running(self) -> SystemState:
        """Where the system is: `--address`, or else what `up` left; raises `Unavailable`."""
        left = system_state.read(self.home)
        asked = self.options.address
        if asked and (left is None or asked != left.address):
            return SystemState(address=asked, namespace=self.config.namespace)
        if left is None or left.address is None:
            raise Unavailable(f"no system is running in {self.home}", next_step=START_ONE)
        if not left.alive:
            raise Unavailable(
                f"no system is running in {self.home}: process {left.pid} is gone",
                next_step=STARTED_OUT,
            )
        namespace = self.options.namespace or left.namespace
        return left.replace(namespace=namespace)

    @cached_property
    def system(self) -> ShareSystem:
        """The running system, connected to; raises `Unavailable`."""
        return self.connect(self.running())

    def connect(self, state: SystemState) -> ShareSystem:
        """Connect to the system that *state* tells of; raises `Unavailable`."""
        self.join(state)
        self.output.keep_stdout(debug=self.options.debug)
        from share_actors.client import connect
        from share_actors.values import RequestContext

        assert state.address is not None
        context = RequestContext(
            user_id=self.options.user or _who(), project_id=self.options.project or "default"
        )
        with self.output.waiting("connecting"):
            return connect(state.address, namespace=state.namespace, context=context)

    def join(self, state: SystemState) -> None:
        """Make ready for the cluster at `state.address`; raises `Unavailable` if nothing listens."""
        os.environ.update(state.environment)
        assert state.address is not None
        check_answers(state.address)

    def finish(self, share: ShareHandle, timeout: float | None) -> dict[str, Any]:
        """Wait for the work that *share* was last asked for (None: don't), and see how it is then.

        The request is durable by now, so that leaving loses nothing. Returns the receipt for scripts;
        raises `OperationFailed` or `TimedOut`.
        """
        self.recorded, receipt = share.id, share.receipt
        assert receipt is not None
        if timeout is not None:
            with self.output.waiting("recorded; waiting for the backend"):
                receipt = self.system.wait(receipt, timeout)
        share.refresh()
        return {"command_id": receipt.command_id, "status": receipt.status}

    def leave(self) -> None:
        """Let go of the system, which Ray left to itself does half a second later."""
        if "system" in self.__dict__:
            from share_actors.actors.runtime import lifecycle

            lifecycle.shutdown()

    def fail(self, error: ShareActorsError) -> int:
        """Tell what went wrong; the exit code."""
        self.output.error(error, self.command)
        return error.exit_code

    def interrupted(self) -> int:
        """Tell what becomes of the work that nobody waits for any more; the exit code."""
        said = self.when_stopped
        if self.recorded:
            look = f"share-actors share show {self.recorded}"
            said = f"Stopped waiting. The request is recorded and goes on; see `{look}`."
        self.output.note(said)
        if self.json:
            self.output.document({"error": {"code": "interrupted", "message": said}})
        return INTERRUPTED


def _who() -> str:
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return "unknown"
