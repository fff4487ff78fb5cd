"""Who could reach which share at what time, read from a stored log. No system has to be running.

Two tracks are kept apart: what was *intended* (asked for and not revoked) and what was *in force* on the
backend (confirmed by it and not yet confirmed to be gone). All periods are half-open, `[start, end)`. An
event counts from its time on; where a clock ran backwards, from the earliest time of it and all later events
of its stream, so that every answer is that of the stream's events up to a time.
"""

from share_actors.audit.access.client import AccessClient, parse_client
from share_actors.audit.access.exposures import exposures
from share_actors.audit.access.periods import access_at, access_history
from share_actors.audit.access.reach import reach
from share_actors.audit.access.timeline import LogTimes, log_times
from share_actors.audit.access.values import AccessPeriod, Exposure, Reach

__all__ = [
    "AccessClient",
    "AccessPeriod",
    "Exposure",
    "LogTimes",
    "Reach",
    "access_at",
    "access_history",
    "exposures",
    "log_times",
    "parse_client",
    "reach",
]
