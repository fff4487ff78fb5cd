"""How a dummy backend fails: its options, and what they do to each call."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from share_actors.drivers.base import (
    DriverError,
    DriverOptions,
    RefusedByBackend,
    TransientError,
)
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.values import RequestContext

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
]
ALWAYS = 2**62
EXIT_STATUS = 70


def _counted(given: Any) -> Any:
    """A list of methods means each of their calls."""
    return dict.fromkeys(given, ALWAYS) if isinstance(given, list | tuple) else given


Calls = Annotated[dict[Method, int], BeforeValidator(_counted)]
"""Methods with how many first calls for each share, or a list of methods: every call."""


class DummyOptions(DriverOptions):
    """Options of the driver `dummy`: how slow, where its state is kept, and how it fails.

    Faults that count calls need `directory`, else each process counts for itself.
    """

    directory: Path | None = None
    """Where the backend's state is kept, for all processes. Unset: nothing is kept and all succeeds."""
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    """How long each call takes."""
    hang_s: Annotated[float, Field(ge=0)] = 3600.0
    """How long a call that hangs does."""
    capacity_gib: Annotated[float, Field(ge=0)] = 1_000_000.0
    pools: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Pools with the GiB that each has; unset: one of `capacity_gib`, called as the backend is."""
    told: Any = None
    """What is answered when asked for statistics, whatever it is; unset: what makes sense."""
    capabilities: dict[str, Any] = {}
    """Words of its own that it says of itself, for share types."""
    info: dict[str, str] = {}
    """What its shares are exported under: it is in their export locations."""
    addresses: Annotated[int, Field(ge=0)] = 1
    """How many addresses a share server needs."""
    fail: dict[Method, str] = {}
    """These fail with this message."""
    refuse: dict[Method, str] = {}
    """These are refused with this message."""
    refuse_access_to: tuple[str, ...] = ()
    """Rules for these can't be applied."""
    transient: Calls = {}
    """These raise `TransientError`."""
    bug: Calls = {}
    """These raise `RuntimeError`."""
    hang: Calls = {}
    """These hang before anything is changed."""
    exit: Calls = {}
    """In these the process dies: the backend has changed, and no answer is given."""


class Faults:
    """What happens to calls before they do anything."""

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

    def question(self, method: Method) -> None:
        """Fail what asks and changes nothing, as told: it is not slow, and not recorded."""
        if self._any:
            self._failing(method, "backend")

    def begin(
        self, method: Method, context: RequestContext, share_id: str, snapshot_id: str = ""
    ) -> bool:
        """Record the call, and fail it as told; whether the process dies at its `end`."""
        if self._backend is not None:
            self._backend.record_call(method, context, share_id, snapshot_id)
        if self._options.delay_s:
            time.sleep(self._options.delay_s)
        return self._any and self._failing(method, share_id)

    def _failing(self, method: Method, share_id: str) -> bool:
        options, count = self._options, self._count(method, share_id)
        if count <= options.hang.get(method, 0):
            time.sleep(options.hang_s)
        if count <= options.transient.get(method, 0):
            raise TransientError(f"{method}: not now (call {count})")
        if count <= options.bug.get(method, 0):
            raise RuntimeError(f"{method}: a bug (call {count})")
        if method in options.refuse:
            raise RefusedByBackend(options.refuse[method])
        if method in options.fail:
            raise DriverError(options.fail[method])
        return count <= options.exit.get(method, 0)

    def _count(self, method: Method, share_id: str) -> int:
        if self._backend is not None:
            return self._backend.count(method, share_id)
        count = self._counts[method, share_id] = self._counts.get((method, share_id), 0) + 1
        return count


def end(last: bool) -> None:
    """The backend has changed; the process dies here if it is to."""
    if last:
        os._exit(EXIT_STATUS)
