"""The lease of a log: the one system that may write to it, recorded in the log's own database.

The record says who the holder is; locks that end with their process say whether it lives. Every process of
the system that writes holds the lock shared, so the system keeps its log while any of them runs; another
system takes the lease over only if it has the lock alone. Readers of the log need no lease.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from share_actors.errors import LogError

BEAT_S = 2.0
"""How often the holder renews its heartbeat."""
QUIET_S = 3 * BEAT_S
"""After this long without a heartbeat a holder is dead if its lock is free."""
STALE_S = 30 * BEAT_S
"""After this long a holder whose machine or network failed loses a lock that only a server remembers."""
WAIT_S = 15.0
"""How long a start waits for processes of an ended system to end."""


@dataclass(frozen=True)
class Owner:
    """A system, as one of its processes describes it. *system* is unique; the rest is for messages."""

    system: str
    namespace: str
    home: str
    host: str
    pid: int


@dataclass(frozen=True)
class Lease:
    """Who holds the log. *epoch* grows with each holder; times are in seconds since 1970."""

    owner: Owner
    epoch: int
    started_at: float
    beat_at: float

    def __str__(self) -> str:
        owner = self.owner
        since = datetime.fromtimestamp(self.started_at, UTC).isoformat(timespec="seconds")
        return (
            f"the system in namespace {owner.namespace!r} of home {owner.home}"
            f" (process {owner.pid} on {owner.host}, since {since})"
        )


class LeaseStore(Protocol):
    """The record and the locks of one log, as one process sees them. All methods raise `LogError`."""

    field: str
    """The setting that names the log, and its value: for errors."""
    value: str
    lock_outlives_machine: bool
    """Whether the lock of a process stays while its machine is gone: a server keeps it."""

    def lock(self, *, shared: bool) -> bool:
        """Hold the lock, shared or alone, instead of how it is held now; false if others prevent it."""

    def unlock(self) -> None:
        """Give the lock up."""

    def read(self) -> tuple[Lease | None, float]:
        """The lease, and the present time by the clock of its heartbeats."""

    def take(self, owner: Owner, epoch: int) -> bool:
        """Record *owner* with *epoch*, if the recorded epoch is the one before; whether it was."""

    def beat(self, owner: Owner, epoch: int) -> bool:
        """Renew the heartbeat of *owner*; false if the lease is not its own any more."""

    def end(self, owner: Owner, epoch: int) -> None:
        """Record that *owner* has ended, so that nobody waits for its heartbeat."""

    def close(self) -> None:
        """Give the lock up and free connections."""


Step = Literal["hold", "take", "wait"]


def next_step(
    lease: Lease | None, owner: Owner, now: float, *, alone: bool, lock_outlives_machine: bool
) -> Step:
    """What *owner* does about *lease* at the time *now*, given whether it has the lock *alone*.

    A free lock proves the death of a holder on this machine. One elsewhere must be silent as well: its
    lock may be invisible here, or lost for a moment by a server that restarted.
    """
    if lease is not None and lease.owner.system == owner.system:
        return "hold"
    if lease is None:
        return "take" if alone else "wait"
    silent_s = now - lease.beat_at
    if lock_outlives_machine:
        return "take" if silent_s > (QUIET_S if alone else STALE_S) else "wait"
    same_machine = lease.owner.host == owner.host
    return "take" if alone and (same_machine or silent_s > QUIET_S) else "wait"


def acquire(
    store: LeaseStore,
    owner: Owner,
    *,
    wait_s: float = WAIT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Have *owner* hold the lease of *store*, with a shared lock for this process.

    Raises `LogError`, which names the holder, once its heartbeat shows that it lives, or after *wait_s*.
    """
    deadline, first = clock() + wait_s, None
    while True:
        lease, held = _attempt(store, owner)
        if held and lease is not None:
            return lease
        first = first or lease
        alive = lease is not None and first is not None and _has_renewed(first, lease)
        if alive or clock() >= deadline:
            raise in_use(store, lease)
        sleep(random.uniform(0.05, 0.2))  # two that start at once must not stay in step


def living_holder(
    store: LeaseStore,
    *,
    wait_s: float = QUIET_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease | None:
    """The lease of *store* if its heartbeat is renewed within *wait_s*; None if no system is seen to live.

    It takes nothing and waits for nothing if no process has the lock. Raises `LogError`.
    """
    deadline, (first, _) = clock() + wait_s, store.read()
    if first is None or store.lock(shared=False):
        store.unlock()
        return None
    while clock() < deadline:
        lease, _ = store.read()
        if lease is not None and _has_renewed(first, lease):
            return lease
        sleep(0.1)
    return None


def _has_renewed(first: Lease, lease: Lease) -> bool:
    # not `>`: the clock of the heartbeats may be set back
    return lease.epoch == first.epoch and lease.beat_at != first.beat_at


def _attempt(store: LeaseStore, owner: Owner) -> tuple[Lease | None, bool]:
    """The lease, and whether *owner* holds it now; otherwise this process has no lock afterwards."""
    shared = store.lock(shared=True)
    lease, now = store.read()
    if lease is not None and lease.owner.system == owner.system:
        return lease, shared
    alone = store.lock(shared=False)
    step = next_step(
        lease, owner, now, alone=alone, lock_outlives_machine=store.lock_outlives_machine
    )
    if step == "take" and store.take(owner, 1 if lease is None else lease.epoch + 1):
        shared = store.lock(shared=True)
        lease, _ = store.read()  # the lock may have been free for a moment
        if shared and lease is not None and lease.owner.system == owner.system:
            return lease, True
    store.unlock()
    return lease, False


def in_use(store: LeaseStore, lease: Lease | None) -> LogError:
    """The error of a system whose log belongs to another one."""
    holder = "another process" if lease is None else str(lease)
    return LogError(
        f"{store.field} {store.value}: is in use by {holder}; nothing was changed",
        field=store.field,
        value=store.value,
        holder=None if lease is None else asdict(lease.owner),
        next_step="Connect to that system, or stop it first; a second system needs one of its own.",
    )
