"""New events for any number of viewers, by one subscription, which runs while there is a viewer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import NamedTuple

from share_actors.cli.console.source import Source
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.events.envelope import Recorded

KEPT = 500
"""How many of the last events are kept for viewers that come back."""
WAITING = 200
"""How many events may wait for one viewer; of more, the oldest are left out, and the viewer is told."""
RETRY_S = 1.0
NOWHERE = -1
"""The position in a log that does not have the last one that was seen."""


class Missed(NamedTuple):
    """Events were left out: *number* of them, or an unknown number."""

    number: int | None


class Interrupted(NamedTuple):
    """No events come, for this reason, until `Resumed`."""

    reason: str


class Resumed(NamedTuple):
    """Events come again, from where they stopped."""


News = Recorded | Missed | Interrupted | Resumed


class Viewer:
    """What waits for one viewer."""

    def __init__(self, after: int) -> None:
        self.after = after
        self._waiting: deque[News] = deque()
        self._missed = 0
        self._some = asyncio.Event()

    def put(self, news: News) -> None:
        """Add *news*; if too much waits, the oldest are left out."""
        if isinstance(news, Recorded) and news.position <= self.after:
            return
        if len(self._waiting) >= WAITING:
            self._missed += isinstance(self._waiting.popleft(), Recorded)
        self._waiting.append(news)
        self._some.set()

    async def next(self) -> News:
        """The next news; to give up waiting for it loses none."""
        await self._some.wait()
        if self._missed:
            count, self._missed = self._missed, 0
            return Missed(count)
        news = self._waiting.popleft()
        if not self._waiting:
            self._some.clear()
        if isinstance(news, Recorded):
            self.after = news.position
        return news


class Feed:
    """Follows the log from where the first viewer is, and gives each viewer what is new to it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._viewers: set[Viewer] = set()
        self._kept: deque[Recorded] = deque(maxlen=KEPT)
        self._complete_after = self._position = 0
        self._problem: str | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._viewers)

    @contextmanager
    def viewer(self, after: int) -> Iterator[Viewer]:
        """A viewer of the events after position *after* and of each new one, in the block."""
        viewer = Viewer(after)
        self._join(viewer)
        try:
            yield viewer
        finally:
            self._leave(viewer)

    def _join(self, viewer: Viewer) -> None:
        if self._running is None:
            self._kept.clear()
            self._complete_after = self._position = viewer.after
            self._problem = None
            self._running = asyncio.create_task(self._run())
        self._viewers.add(viewer)
        if viewer.after < self._complete_after:
            viewer.put(Missed(None))
        for recorded in self._kept:
            viewer.put(recorded)
        if self._problem is not None:
            viewer.put(Interrupted(self._problem))

    def _leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._running is not None:
            self._running.cancel()
            self._running = None

    def _tell(self, news: News) -> None:
        for viewer in self._viewers:
            viewer.put(news)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow_log()
            except InvalidRequest:
                self._position = NOWHERE
            except ShareActorsError as error:
                self._interrupt(error.reason)
            except Exception as error:
                self._interrupt(f"unexpected {type(error).__name__}: {error}")
            await asyncio.sleep(RETRY_S)

    def _interrupt(self, reason: str) -> None:
        if reason != self._problem:
            self._problem = reason
            self._tell(Interrupted(reason))

    async def _follow_log(self) -> None:
        if self._problem is not None or self._position == NOWHERE:
            last = await self._source.recent(1)  # raises unless the log can be read
            if self._position == NOWHERE:
                self._start_at(last[-1].position if last else 0)
            self._problem = None
            self._tell(Resumed())
        async with aclosing(self._source.events(self._position)) as batches:
            async for batch in batches:
                for recorded in batch:
                    self._take(recorded)

    def _start_at(self, position: int) -> None:
        """Go on from *position* of a log that was put in the place of the former one, and is shorter."""
        self._position = self._complete_after = position
        self._kept.clear()
        for viewer in self._viewers:
            viewer.after = position
        self._tell(Missed(None))

    def _take(self, recorded: Recorded) -> None:
        self._position = recorded.position
        if len(self._kept) == KEPT:
            self._complete_after = self._kept[0].position
        self._kept.append(recorded)
        self._tell(recorded)
