"""Transactions that write to the log only while a system holds its lease, which they read themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from share_actors.errors import LogError


class LeaseGuard(NamedTuple):
    """The lease that a transaction must find; *refusal* explains, afterwards, why it found another one.

    *is_fresh*: no other system can have had the lease since the log was opened, as this process has just
    renewed it.
    """

    system: str
    epoch: int
    refusal: Callable[[], LogError]
    is_fresh: Callable[[], bool] = lambda: False


class LeaseMissing(Exception):
    """The transaction found the lease with another system or epoch, and wrote nothing."""


class GuardedRecorder:
    """A recorder whose `insert_events` raises the guard's refusal if the log has another lease.

    A process may be suspended between any check and its commit, and wake up after another system took over.
    """

    guard: LeaseGuard | None = None

    def require_lease(self, guard: LeaseGuard) -> None:
        """Write only while the log has this lease, which it has now."""
        self.guard = guard
