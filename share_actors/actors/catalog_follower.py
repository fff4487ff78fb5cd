"""The catalog's follower: applies the log in the background, a batch at a time, and says how far it is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from share_actors.actors.catalog_progress import Progress
from share_actors.actors.shared_queries import RunInThread
from share_actors.errors import ShareActorsError
from share_actors.events.catalog import Catalog
from share_actors.values import AsOf

logger = logging.getLogger(__name__)
FOLLOW_EVERY_S = 0.25
FOLLOW_BATCH_SIZE = 10_000
MAX_QUERY_EVENTS = 20_000
"""How many events a query applies itself; if more are missing, lists are as of the checkpoint."""
RATE_S = 10.0
"""The rate of catching up is that of the last seconds."""


class CatalogFollower:
    """Applies the log to *catalog* in the thread of *run*, between the queries that wait for it."""

    def __init__(self, run: RunInThread, catalog: Callable[[], Catalog]) -> None:
        self._run, self._catalog = run, catalog
        self._marks: deque[tuple[float, int]] = deque()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the log from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Follow it no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while True:
            pause_s = FOLLOW_EVERY_S
            try:
                if self._note(await self._run(self.step)) > 0:
                    pause_s = 0.0
            except ShareActorsError as error:
                logger.warning("the catalog cannot follow the log: %s", error)
            except Exception:
                logger.exception("the catalog failed to follow the log; it will retry")
            await asyncio.sleep(pause_s)

    def step(self) -> AsOf:
        """Apply a batch, in the thread."""
        catalog = self._catalog()
        as_of = catalog.as_of()
        if as_of.applied < as_of.head:
            catalog.catch_up(FOLLOW_BATCH_SIZE)
        return AsOf(catalog.position(), as_of.head)

    def _note(self, as_of: AsOf) -> int:
        """Note how far the catalog is, for its rate; returns how many events it is behind."""
        now = time.monotonic()
        if self._marks and self._marks[-1][1] > as_of.applied:
            self._marks.clear()  # it began anew
        self._marks.append((now, as_of.applied))
        while len(self._marks) > 2 and now - self._marks[0][0] > RATE_S:
            self._marks.popleft()
        self._moved.set()
        self._moved = asyncio.Event()
        return as_of.head - as_of.applied

    def progress(self, as_of: AsOf) -> Progress:
        """How far it is, and by its rate how long it takes to the log's head."""
        (began, first), (now, last) = (
            (self._marks[0], self._marks[-1]) if self._marks else _NO_MARKS
        )
        behind = as_of.head - as_of.applied
        if behind <= 0 or last <= first:
            return Progress(*as_of)
        rate = (last - first) / max(now - began, 1e-3)
        return Progress(*as_of, round(rate, 1), round(behind / rate, 1))

    async def complete(self, timeout_s: float) -> Progress:
        """Return once a query would apply the rest itself, but after *timeout_s* at the latest."""
        self.start()
        until = time.monotonic() + timeout_s
        while True:
            moved = self._moved
            progress = self.progress(await self._run(lambda: self._catalog().as_of()))
            remaining_s = until - time.monotonic()
            if progress.behind <= MAX_QUERY_EVENTS or remaining_s <= 0:
                return progress
            await _set_within(moved, min(remaining_s, 1.0))


_NO_MARKS = ((0.0, 0), (0.0, 0))


async def _set_within(moved: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await moved.wait()
    except TimeoutError:
        pass
