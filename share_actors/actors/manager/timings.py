"""How long the manager waits, and how often it does its background work."""

from __future__ import annotations

from dataclasses import dataclass, field

from share_actors.actors.hosting.timings import SupervisorTimings


@dataclass(frozen=True)
class ManagerTimings:
    """All in seconds. Tests use shorter ones.

    *silence_check_s*, *ensure_check_s* and *due_check_s* are periods of `PeriodicTasks`. *drain_timeout_s* is
    how long commands that an earlier manager sent may take to be recorded. *recovery_retry_s* is the period
    in which `Recovery` activates all shares with pending work. *supervisor* are those of its hosts.
    """

    silence_check_s: float = 1.0
    ensure_check_s: float = 2.0
    due_check_s: float = 15.0
    drain_timeout_s: float = 5.0
    recovery_retry_s: float = 15.0
    supervisor: SupervisorTimings = field(default_factory=SupervisorTimings)
