"""Pauses between attempts: due by the calendar, which the log keeps, and never longer than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime


class Backoff:
    """How long until the next attempt is due, although the calendar may be set back in between."""

    def __init__(self) -> None:
        self._due: datetime | None = None
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def left(self, due: datetime | None, now: datetime, longest_s: float) -> float:
        """Seconds until *due*, zero or less when it is time; at most *longest_s* from first being asked."""
        if due is None:
            return 0.0
        left, ticked = (due - now).total_seconds(), asyncio.get_running_loop().time()
        if due != self._due:
            self._due, self._until = due, ticked + min(left, longest_s)
        return min(left, self._until - ticked)

    def then(self, seconds: float, wake: Callable[[], None]) -> None:
        """Call *wake* after so many seconds, and for no reason given before."""
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, wake)

    def cancel(self) -> None:
        """Nobody is to be woken."""
        if self._timer is not None:
            self._timer.cancel()
