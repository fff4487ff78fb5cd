"""How far the catalog is while it catches up with the log."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from share_actors.errors import Unavailable
from share_actors.events.catalog import Catalog
from share_actors.wire import sent_as_report


@sent_as_report
class Progress(NamedTuple):
    """How far the catalog is; the rate and the time left are None unless it catches up."""

    applied: int
    head: int
    events_per_s: float | None = None
    seconds_left: float | None = None

    @property
    def behind(self) -> int:
        """How many events the catalog lags behind the log."""
        return max(0, self.head - self.applied)


def status_of(progress: Progress, catalog: Catalog) -> dict[str, Any]:
    """The catalog's part of the status of the system; *progress* is that before it was caught up."""
    return {
        "pid": os.getpid(),
        "events": progress.head,
        "applied": progress.applied,
        "behind": progress.behind,
        "events_per_s": progress.events_per_s,
        "seconds_left": progress.seconds_left,
        "shares": dict(catalog.count_shares()),
        "parked": [parked.model_dump() for parked in catalog.parked()],
    }


def incomplete(query: str, progress: Progress) -> Unavailable:
    """The error of a *query* that needs all of the log, while the catalog is only as far as *progress*."""
    left = (
        "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s are left"
    )
    return Unavailable(
        f"{query}: needs the whole catalog, which catches up with the log: {progress.applied} of"
        f" {progress.head} events are applied{left}; nothing was changed",
        next_step="Repeat the request then; `share-actors status` shows how far the catalog is.",
        applied=progress.applied,
        head=progress.head,
    )
