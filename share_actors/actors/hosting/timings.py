"""Intervals and limits of hosting, in seconds. They are parameters, so that tests need not wait long."""

from __future__ import annotations

from dataclasses import dataclass

MOST_REPORTS_A_S = 100.0
"""Of all hosts: each takes the manager about 3 ms of processor time (`docs/scale.md`)."""


@dataclass(frozen=True, slots=True)
class SupervisorTimings:
    """Intervals and limits of a `Supervisor`, and of the `Router` that uses it.

    *report_every_s*: the interval between two reports of a host. *max_wait_s*: how long a command may
    wait for a living host before its reply is `Unavailable`. *recycle_timeout_s*: how long a host that
    is about to be restarted may take to end its running work. *start_timeout_s*: how long a host that is
    started, or restarted, may take to answer.
    """

    report_every_s: float = 1.0
    max_wait_s: float = 60.0
    recycle_timeout_s: float = 10.0
    start_timeout_s: float = 120.0

    def report_pause_s(self, hosts: int) -> float:
        """The pause between two reports of each of so many *hosts*."""
        return max(self.report_every_s, hosts / MOST_REPORTS_A_S)


@dataclass(frozen=True, slots=True)
class HostTimings:
    """Intervals and limits of a `ShareHost`.

    *grace_s*: `submit` replies *accepted* for the commands in progress once no further outcome comes for
    so long. *max_outcome_wait_s*: it does so at the latest after this time. *batch_s*: how long `wait`
    gathers outcomes once there is one. *sweep_every_s*: the longest interval between two searches for
    idle entities. *stop_timeout_s*: how long `stop` lets pending work go on.
    """

    grace_s: float = 0.05
    max_outcome_wait_s: float = 1.0
    batch_s: float = 0.005
    sweep_every_s: float = 5.0
    stop_timeout_s: float = 5.0
