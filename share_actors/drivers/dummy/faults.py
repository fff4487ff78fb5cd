"""Faults of a dummy backend: its options, and their effect on each call."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from share_actors.drivers.base import (
    DriverError,
    DriverOptions,
    RefusedByBackend,
    TransientError,
)
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.values import RequestContext
from share_actors.values.checks.limits import MAX_SECONDS

Method = Literal[
    "create_share",
    "create_share_from_snapshot",
    "delete_share",
    "extend_share",
    "shrink_share",
    "ensure_share",
    "probe_share",
    "create_snapshot",
    "delete_snapshot",
    "revert_to_snapshot",
    "snapshot_update_access",
    "update_access",
    "allow_access",
    "deny_access",
    "manage_existing",
    "preview_manage",
    "unmanage",
    "manage_existing_snapshot",
    "unmanage_snapshot",
    "allocate_network",
    "deallocate_network",
    "setup_server",
    "teardown_server",
    "get_share_stats",
    "get_share_usage",
    "start_backend",
    "stop_backend",
]
ALWAYS = 2**62
EXIT_STATUS = 70


def _with_counts(value: Any) -> Any:
    """Convert a list of methods to all of their calls."""
    return dict.fromkeys(value, ALWAYS) if isinstance(value, list | tuple) else value


Calls = Annotated[dict[Method, int], BeforeValidator(_with_counts)]
"""Method to the number of first calls for each share that are affected; a list of methods: all calls."""


class DummyOptions(DriverOptions):
    """Options of the driver `dummy`: its delay, its state, its statistics and its faults.

    Faults that count calls need `directory`; without it each process counts separately.
    """

    directory: Path | None = None
    """The directory of the backend's state, for all processes. Unset: no state, and every call succeeds."""
    delay_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 0.0
    """The duration of each call, in seconds."""
    hang_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 3600.0
    """The duration of a call that hangs, in seconds."""
    daemon: bool = False
    """Whether a simulated daemon serves the backend, which must be started first; needs `directory`."""
    used_bytes: dict[str, Annotated[int, Field(ge=0)]] = {}
    """The bytes that shares use, by share id; 0 for others."""
    capacity_gib: Annotated[float, Field(ge=0)] = 1_000_000.0
    pools: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Pool names and capacities in GiB. Unset: one pool of `capacity_gib`, named after the backend."""
    told: Any = None
    """The result of `get_share_stats`, of any type. Unset: valid statistics of the pools."""
    capabilities: dict[str, Any] = {}
    """Capabilities that it reports, for matching share types."""
    info: dict[str, str] = {}
    """The result of `get_backend_info`; the values are part of the export locations."""
    addresses: Annotated[int, Field(ge=0)] = 1
    """The number of addresses that a share server needs."""
    password: SecretStr = SecretStr("")
    """A secret of the simulated backend, which replaces `{password}` in the messages of faults."""
    fail: dict[Method, str] = {}
    """Methods that raise `DriverError`, with the message."""
    refuse: dict[Method, str] = {}
    """Methods that raise `RefusedByBackend`, with the message."""
    remount: bool = False
    """Whether clients must mount a share again after a revert."""
    refuse_access_to: tuple[str, ...] = ()
    """Values of `access_to` whose rules cannot be applied."""
    transient: Calls = {}
    """Calls that raise `TransientError`."""
    bug: Calls = {}
    """Calls that raise `RuntimeError`."""
    hang: Calls = {}
    """Calls that hang before they change the backend."""
    exit: Calls = {}
    """Calls during which the process exits, after they changed the backend and before they return."""

    @model_validator(mode="after")
    def _check_daemon(self) -> Self:
        if self.daemon and self.directory is None:
            raise ValueError("daemon: it needs the option directory, where its state is")
        return self


class Faults:
    """Applies the faults of the options to calls."""

    def __init__(self, options: DummyOptions, backend: DummyBackend | None) -> None:
        self._options, self._backend = options, backend
        self._counts: dict[tuple[str, str], int] = {}
        self._any = any(
            (
                options.fail,
                options.refuse,
                options.transient,
                options.bug,
                options.hang,
                options.exit,
            )
        )

    def begin_query(self, method: Method) -> None:
        """Apply the faults of a call that changes nothing; it is not delayed and not recorded."""
        if self._any:
            self._apply(method, "backend")

    def begin(
        self, method: Method, context: RequestContext, share_id: str, snapshot_id: str = ""
    ) -> bool:
        """Record the call and apply its faults; returns whether the process exits at its `end`."""
        if self._backend is not None:
            self._backend.record_call(method, context, share_id, snapshot_id)
        if self._options.delay_s:
            time.sleep(self._options.delay_s)
        return self._any and self._apply(method, share_id)

    def _apply(self, method: Method, share_id: str) -> bool:
        options, count = self._options, self._count(method, share_id)
        if count <= options.hang.get(method, 0):
            time.sleep(options.hang_s)
        if count <= options.transient.get(method, 0):
            raise TransientError(f"{method}: temporary failure (call {count})")
        if count <= options.bug.get(method, 0):
            raise RuntimeError(self._message(f"{method}: simulated bug (call {count}){{password}}"))
        if method in options.refuse:
            raise RefusedByBackend(self._message(options.refuse[method]))
        if method in options.fail:
            raise DriverError(self._message(options.fail[method]))
        return count <= options.exit.get(method, 0)

    def _message(self, text: str) -> str:
        """*text* as a careless backend's: with its password."""
        return text.replace("{password}", self._options.password.get_secret_value())

    def _count(self, method: Method, share_id: str) -> int:
        if self._backend is not None:
            return self._backend.count(method, share_id)
        count = self._counts[method, share_id] = self._counts.get((method, share_id), 0) + 1
        return count


def end(exits: bool) -> None:
    """End a call after its changes: exit the process if *exits*, the result of `Faults.begin`."""
    if exits:
        os._exit(EXIT_STATUS)
