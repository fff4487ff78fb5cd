"""The event log: streams of events in SQLite or PostgreSQL, appended by optimistic concurrency."""

from __future__ import annotations

from share_actors.events.log.append_order import Conflict, Settled
from share_actors.events.log.log import Log, Notification, OpenLog, open_configured

__all__ = [
    "Conflict",
    "Log",
    "Notification",
    "OpenLog",
    "Settled",
    "open_configured",
]
