"""Coalescing: items that arrive while calls to an actor are in flight go together in the next call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Coalescer(Generic[T, R]):
    """Sends items in batches through *send*, which returns one result for each item, in order.

    An idle coalescer sends at once; while *lanes* batches are in flight, items gather, up to
    *max_batch* for each batch. If a send raises, the items of its batch get the exception; other
    batches are not affected.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[Sequence[R]]],
        *,
        max_batch: int = 512,
        lanes: int = 2,
    ) -> None:
        self._send, self._max_batch, self._lanes = send, max_batch, lanes
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> asyncio.Future[R]:
        """Queue *item* for the next batch; the future resolves to its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)  # once all callers that are ready now have put their items
        return future

    def _flush(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._in_flight) < self._lanes:
            size = min(len(self._waiting), self._max_batch)
            batch = [self._waiting.popleft() for _ in range(size)]
            task = asyncio.create_task(self._dispatch(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._batch_done)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._flush()

    async def _dispatch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._send([item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # marked as retrieved: the caller may have stopped waiting
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
