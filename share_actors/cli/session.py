"""One run of the command line: its global options, configuration, system and output."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import getpass
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from share_actors.cli.exit_codes import INTERRUPTED
from share_actors.cli.output import Output, Table, escape
from share_actors.cli.output.view import early_view, parse_view
from share_actors.errors import InvalidRequest, ShareActorsError, Unavailable

if TYPE_CHECKING:
    from share_actors.actors.runtime.system_state import SystemState
    from share_actors.client import ShareHandle, ShareSystem
    from share_actors.config import Config
    from share_actors.values import RequestContext

SYSTEM_ADMIN = "system-admin"
ROLES = ("reader", "member", "admin", SYSTEM_ADMIN)
"""The values of `--role`."""
START_A_SYSTEM = "Start one with `share-actors up`."
RESTART_THE_SYSTEM = "Nothing was lost. Start it again with `share-actors up`."


_NEVER_EMPTY = ("output", "columns", "sort", "times")


@dataclass(frozen=True)
class Options:
    """The global options, which may stand before or after a subcommand."""

    config: Path | None = None
    address: str | None = None
    namespace: str | None = None
    user: str | None = None
    project: str | None = None
    role: str | None = None
    json: bool = False
    debug: bool = False
    output: str | None = None
    columns: str | None = None
    sort: str | None = None
    no_headers: bool = False
    quiet: bool = False
    times: str | None = None
    timeout: float | None = None

    def replace(self, **options: Any) -> Options:
        """These options, overridden by those of *options* that are set.

        Of *json* and *output* the later one counts; of both at once, *output*.
        """
        given = {k: v for k, v in options.items() if _is_given(k, v)}
        if "json" in given and "output" not in given:
            given["output"] = None
        return Options(**{**self.__dict__, **given})


def _is_given(option: str, value: object) -> bool:
    """Whether *value* counts: an empty text only where it is refused as what it is."""
    return value not in (None, False) and (value != "" or option in _NEVER_EMPTY)


class Session:
    """What a command works with: the configuration, the running system, and the output."""

    def __init__(self, options: Options, command: str = "", table: Table | None = None) -> None:
        self.options, self.command, self.table = options, command, table
        self.output = Output(early_view(options.output or ("json" if options.json else "table")))
        self._may_have_joined = False
        self.awaited_share_id: str | None = None
        """The share whose request is recorded and whose outcome is awaited."""
        self.interrupt_message = (
            "Stopped. Requests recorded by then stay in progress; see `share-actors status`."
        )

    def check_output(self) -> None:
        """Have the result shown as the options ask; raises `InvalidRequest` if that is not possible."""
        self.output.view = parse_view(self.options, self.command, self.table)
        self.output.table = self.table

    @property
    def json(self) -> bool:
        """Whether the result is a document for programs, such as JSON, or made of one."""
        return not self.output.view.is_for_people

    @cached_property
    def config(self) -> Config:
        """The configuration from the file and the environment; raises `ConfigError`."""
        from share_actors.config import load

        if self.options.namespace:
            os.environ["SHARE_ACTORS_NAMESPACE"] = self.options.namespace
        return load(self.options.config)

    @cached_property
    def context(self) -> RequestContext:
        """On whose behalf requests are made: the operator's, unless a project or a role is given.

        Raises `InvalidRequest` for an unknown role.
        """
        from share_actors.actors.messaging.messages import context_with

        role, project = self.options.role, self.options.project
        if role not in (None, *ROLES):
            text = f"--role: {role!r} is not one of {', '.join(ROLES)}"
            raise InvalidRequest(text, field="role", value=role)
        fields = {
            "user_id": self.options.user or _login_name(),
            "roles": () if role in (None, SYSTEM_ADMIN) else (role,),
            "is_admin": role == SYSTEM_ADMIN or (role is None and project is None),
        }
        return context_with(fields if project is None else {**fields, "project_id": project})

    @property
    def home(self) -> Path:
        """The system's home directory."""
        return self.config.home

    # -- the running system ----------------------------------------------------------------------
    def running_system(self) -> SystemState:
        """The system at `--address`, or else the one that `up` recorded; raises `Unavailable`."""
        from share_actors.actors.runtime import system_state
        from share_actors.actors.runtime.system_state import SystemState

        recorded = system_state.read(self.home)
        address = self.options.address
        if address and (recorded is None or address != recorded.address):
            return SystemState(address=address, namespace=self.config.namespace)
        if recorded is None or recorded.address is None:
            raise Unavailable(f"no system is running in {self.home}", next_step=START_A_SYSTEM)
        if not recorded.alive:
            raise Unavailable(
                f"no system is running in {self.home}: process {recorded.ended} has ended",
                next_step=RESTART_THE_SYSTEM,
            )
        return recorded.replace(namespace=self.options.namespace or recorded.namespace)

    @cached_property
    def system(self) -> ShareSystem:
        """A connection to the running system; raises `Unavailable`."""
        return self.connect(self.running_system())

    def connect(self, state: SystemState, timeout_s: float | None = None) -> ShareSystem:
        """Connect to the system that *state* describes; raises `Unavailable`.

        Waits while its manager is being restarted, up to *timeout_s* (default: as `share_actors.connect`).
        """
        self.prepare_connection(state)
        self.output.reserve_stdout(debug=self.options.debug)
        from share_actors.client import connect
        from share_actors.client.keywords import CONNECT_TIMEOUT_S

        assert state.address is not None
        context = self.context
        with self.output.spinner("connecting"):
            return connect(
                state.address,
                namespace=state.namespace,
                context=context,
                timeout=timeout_s or CONNECT_TIMEOUT_S,
            )

    def prepare_connection(self, state: SystemState) -> None:
        """Set the variables that Ray needs; raises `Unavailable` if nothing listens at the address."""
        from share_actors.actors.runtime.system_state import check_reachable

        self._may_have_joined = True
        os.environ.update(state.environment)
        assert state.address is not None
        check_reachable(state.address)

    def disconnect(self) -> None:
        """Leave the cluster that was joined, if any; Ray's own clean-up at exit takes 0.5 s longer."""
        if self._may_have_joined:
            from share_actors.actors.runtime import lifecycle

            if lifecycle.is_initialized():
                lifecycle.shutdown()

    def wait_for_outcome(self, share: ShareHandle, timeout: float | None) -> dict[str, Any]:
        """Wait for the outcome of the last request of *share* (None: do not wait), then refresh it.

        The request is already durable, so stopping loses nothing. Returns the receipt as JSON; raises
        `OperationFailed` or `TimedOut`.
        """
        self.awaited_share_id, receipt = share.id, share.receipt
        assert receipt is not None
        if timeout is not None:
            with self.output.spinner("recorded; waiting for the backend"):
                receipt = self.system.wait(receipt, timeout)
        share.refresh()
        told = {"command_id": receipt.command_id, "status": receipt.status}
        return told if receipt.trace_id is None else {**told, "trace_id": receipt.trace_id}

    # -- the end of a command --------------------------------------------------------------------
    def report_error(self, error: ShareActorsError) -> int:
        """Print *error* and return its exit code."""
        self.output.print_error(error, self.command)
        return error.exit_code

    def report_interrupt(self) -> int:
        """Print what happens to the unfinished work and return the exit code."""
        message = self.interrupt_message
        if self.awaited_share_id:
            show = f"share-actors share show {self.awaited_share_id}"
            message = (
                f"Stopped waiting. The request is recorded and still in progress; see `{show}`."
            )
        self.output.print_message(escape(message))
        if self.output.as_json:
            self.output.print_json({"error": {"code": "interrupted", "message": message}})
        return INTERRUPTED


def _login_name() -> str:
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return "unknown"
