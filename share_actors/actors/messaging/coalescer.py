"""Coalescing: items that arrive while calls to an actor are in flight go together in the next call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


PATIENCE_S = 0.25
"""How long a batch that is not taken keeps others waiting."""


class Part(NamedTuple, Generic[R]):
    """Some results of a batch, by the position of the item; *taken*: there is room for another batch."""

    results: dict[int, R]
    taken: bool


def at_once(
    send: Callable[[list[T]], Awaitable[Sequence[R]]],
) -> Callable[[list[T]], AsyncIterator[Part[R]]]:
    """*send*, which returns one result for each item, in order, as a function that yields one part."""

    async def parts(items: list[T]) -> AsyncIterator[Part[R]]:
        yield Part(dict(enumerate(await send(items))), True)

    return parts


def _nothing() -> None:
    """What happens by default when an item is taken."""


class _Item(NamedTuple, Generic[T, R]):
    """An item on its way: *taken* is called once it need not be waited for before others are sent."""

    item: T
    result: asyncio.Future[R]
    taken: Callable[[], None]


class Coalescer(Generic[T, R]):
    """Sends items in batches through *send*, which yields their results in parts, each as it comes.

    An idle coalescer sends at once; while *lanes* batches are in flight that are not taken yet, items
    gather, up to *max_batch* for each batch; a batch that is not taken for long does not count. If a send
    raises, the items of its batch that have no result get the exception; other batches are not affected.
    """

    def __init__(
        self,
        send: Callable[[list[T]], AsyncIterator[Part[R]]],
        *,
        max_batch: int = 512,
        lanes: int = 2,
    ) -> None:
        self._send, self._max_batch, self._free_lanes = send, max_batch, lanes
        self._waiting: deque[_Item[T, R]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T, taken: Callable[[], None] = _nothing) -> asyncio.Future[R]:
        """Queue *item* for the next batch; the future resolves to its result.

        *taken* is called once the batch is taken, or has its results.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append(_Item(item, future, taken))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)  # once all callers that are ready now have put their items
        return future

    def _flush(self) -> None:
        self._scheduled = False
        while self._waiting and self._free_lanes:
            self._free_lanes -= 1
            size = min(len(self._waiting), self._max_batch)
            batch = [self._waiting.popleft() for _ in range(size)]
            task = asyncio.create_task(self._dispatch(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _dispatch(self, batch: list[_Item[T, R]]) -> None:
        lane = _Lane([each.taken for each in batch], self._free_lane)
        try:
            async for part in self._send([each.item for each in batch]):
                for n, result in part.results.items():
                    if not batch[n].result.done():
                        batch[n].result.set_result(result)
                if part.taken:
                    lane.taken()
        except Exception as error:
            for each in batch:
                if not each.result.done():
                    each.result.set_exception(error)
                    each.result.exception()  # marked as retrieved: the caller may have left
        finally:
            lane.taken()

    def _free_lane(self) -> None:
        self._free_lanes += 1
        self._flush()


class _Lane:
    """The lane of one batch: it is free once the batch is taken, and not later than `PATIENCE_S`."""

    def __init__(self, taken: list[Callable[[], None]], freed: Callable[[], None]) -> None:
        self._taken, self._freed, self._is_free = taken, freed, False
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._free)

    def taken(self) -> None:
        """Tell the senders of all items, and make room for the next batch; further calls do nothing."""
        taken, self._taken = self._taken, []
        for tell in taken:
            tell()
        self._timer.cancel()
        self._free()

    def _free(self) -> None:
        if not self._is_free:
            self._is_free = True
            self._freed()
