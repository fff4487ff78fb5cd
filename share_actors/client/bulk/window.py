"""A bounded number of items in flight: more are drawn from their source as the first ones end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence

from share_actors.client.bulk.results import BulkResult
from share_actors.errors import LogError, ShareActorsError, Unavailable

CHUNK = 64
"""How many items are drawn at a time, at most."""
Numbered = tuple[int, object]
Send = Callable[[int, object], Awaitable[BulkResult]]
"""Sends an item with its index, and waits for what becomes of it."""
_OF_THE_SYSTEM = (LogError, Unavailable)
"""Errors that every further item would have, too."""


class Window:
    """The items of a batch that are in flight: at most *size*, sent by *send*."""

    def __init__(self, send: Send, size: int) -> None:
        self._send, self._size = send, size
        self._in_flight: set[asyncio.Task[BulkResult]] = set()
        self._ended: deque[asyncio.Task[BulkResult]] = deque()
        self._some_ended = asyncio.Event()
        self.failure: ShareActorsError | None = None
        """Why the system takes no more items: the first error of that kind."""

    @property
    def room(self) -> int:
        """How many items to add now."""
        return 0 if self.failure else min(CHUNK, self._size - len(self._in_flight))

    @property
    def is_empty(self) -> bool:
        """Whether every item has ended and its result was returned."""
        return not self._in_flight and not self._ended

    async def step(self, items: Sequence[Numbered]) -> list[BulkResult]:
        """Send *items*, and return the results of those that have ended.

        Without *items*, or once the window is full, waits until at least one has ended.
        """
        for item in items:
            task = asyncio.ensure_future(self._send(*item))
            self._in_flight.add(task)
            task.add_done_callback(self._end)
        if self._in_flight and (not items or len(self._in_flight) >= self._size):
            await self._some_ended.wait()
        else:
            await asyncio.sleep(0)  # let them be sent
        self._some_ended.clear()
        return [self._result() for _ in range(len(self._ended))]

    def cancel(self) -> None:
        """Wait for no more items; what was sent goes on."""
        for task in self._in_flight:
            task.cancel()

    def _end(self, task: asyncio.Task[BulkResult]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled():
            self._ended.append(task)
            self._some_ended.set()

    def _result(self) -> BulkResult:
        result = self._ended.popleft().result()
        error = result.error
        if isinstance(error, _OF_THE_SYSTEM) and self.failure is None:
            self.failure = error
        return result


class Source:
    """The items of a batch, drawn in order; an error of their iterator ends them and is kept."""

    def __init__(self) -> None:
        self._drawn = 0
        self.has_ended = False
        self.error: Exception | None = None

    def number(self, item: object) -> Numbered:
        """The next *item*, with its index."""
        self._drawn += 1
        return self._drawn - 1, item

    def end(self, error: Exception | None = None) -> None:
        """There are no more items, because of *error* if there is one."""
        self.has_ended, self.error = True, error


class SyncSource(Source):
    """Items that are drawn from an iterator."""

    def __init__(self, items: Iterable[object]) -> None:
        super().__init__()
        self._items = iter(items)

    def draw(self, most: int) -> list[Numbered]:
        """The next items with their indexes, at most so many."""
        drawn: list[Numbered] = []
        while len(drawn) < most and not self.has_ended:
            try:
                drawn.append(self.number(next(self._items)))
            except StopIteration:
                self.end()
            except Exception as error:
                self.end(error)
        return drawn


class AsyncSource(Source):
    """Items that are drawn from an asynchronous iterator."""

    def __init__(self, items: AsyncIterable[object]) -> None:
        super().__init__()
        self._items = aiter(items)

    async def draw(self, most: int) -> list[Numbered]:
        """The next items with their indexes, at most so many."""
        drawn: list[Numbered] = []
        while len(drawn) < most and not self.has_ended:
            try:
                drawn.append(self.number(await anext(self._items)))
            except StopAsyncIteration:
                self.end()
            except Exception as error:
                self.end(error)
        return drawn
