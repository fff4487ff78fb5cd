"""The pause between attempts: due at a calendar time from the log, and limited by the monotonic clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime


class Backoff:
    """The time to the next attempt, bounded although the calendar may be set back meanwhile."""

    def __init__(self) -> None:
        self._due: datetime | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def remaining_s(self, due: datetime | None, now: datetime, max_pause_s: float) -> float:
        """Seconds until *due*, zero or less when it has come; at most *max_pause_s* from the first call."""
        if due is None:
            return 0.0
        seconds, ticks = (due - now).total_seconds(), asyncio.get_running_loop().time()
        if due != self._due:
            self._due, self._deadline = due, ticks + min(seconds, max_pause_s)
        return min(seconds, self._deadline - ticks)

    def schedule(self, seconds: float, wake: Callable[[], None]) -> None:
        """Call *wake* after so many seconds, in place of any earlier schedule."""
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, wake)

    def cancel(self) -> None:
        """Cancel the scheduled call, if any."""
        if self._timer is not None:
            self._timer.cancel()
