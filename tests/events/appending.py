"""Helpers to append to a log in tests, and to wait for background work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log import Log
from share_actors.events.share.access import AccessDenied
from tests.golden.examples import ENVELOPE

Entries = Sequence[tuple[Envelope, AccessDenied]]


def entries(*ids: str) -> Entries:
    """Return one event for each id, with one envelope."""
    return [(ENVELOPE, AccessDenied(access_id=i)) for i in ids]


def append(log: Log, stream: str, after: int, *ids: str) -> tuple[Recorded, ...]:
    """Append one event for each id and wait for it."""
    return asyncio.run(log.append(stream, after, entries(*ids)))


def ids(recorded: Sequence[Recorded]) -> list[str]:
    """Return the ids that were given to `entries`."""
    return [getattr(item.event, "access_id", "?") for item in recorded]


def at_once(*appends: Callable[[], object]) -> list[object]:
    """Call all *appends* in one turn of the loop and await their results; exceptions are results."""

    async def gather() -> list[object]:
        return await asyncio.gather(*(make() for make in appends), return_exceptions=True)  # type: ignore[call-overload,no-any-return]

    return asyncio.run(gather())


def eventually(holds: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Return whether *holds* returns True before the timeout."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
