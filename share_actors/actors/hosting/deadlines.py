"""Waiting for what a host that stops does at once, or else not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

STOP_POLL_S = 0.1


async def until_or_deadline(condition: Callable[[], bool], deadline: float) -> None:
    """Wait until *condition* holds, but not beyond *deadline* (as of `time.monotonic`)."""
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(STOP_POLL_S)
