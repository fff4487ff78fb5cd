"""Queries that wait for one thread: equal ones are run once, and abandoned ones are not run.

Callers that get no reply in time ask again, and nobody withdraws their first queries. If each of these were
run, a thread that is behind would serve only callers that have left, and never catch up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from share_actors.errors import Unavailable

T = TypeVar("T")
MAX_BATCH = 100
"""How many queries are run together, before other jobs of the thread."""


class RunInThread(Protocol):
    """Runs jobs in one thread, in the order in which they come."""

    def __call__(self, job: Callable[[], T], /) -> Awaitable[T]:
        """The result of *job*."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A query that has not begun; *asked_at* (as of `time.monotonic`) is when it was asked last."""

    job: Callable[[], Any]
    result: asyncio.Future[Any]
    asked_at: float


class _Outcome(NamedTuple):
    """What a query returned, or the error that it raised."""

    value: Any = None
    error: Exception | None = None


class SharedQueries:
    """Runs queries in batches, each of them in the context *together*, whose error is that of all of them.

    A query that was last asked more than *max_wait_s* ago is not run: its callers wait no longer.
    """

    def __init__(
        self,
        run: RunInThread,
        together: Callable[[], AbstractContextManager[None]],
        max_wait_s: float,
    ) -> None:
        self._run, self._together, self._max_wait_s = run, together, max_wait_s
        self._waiting: dict[Hashable, _Waiting] = {}
        self._runner: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(self, key: Hashable, job: Callable[[], Any]) -> Any:
        """The result of *job*, which begins after this call; waiting queries with an equal *key* share it."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(job, loop.create_future(), 0.0)
            waiting.result.add_done_callback(_retrieve)
        waiting.asked_at = time.monotonic()
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run_all())
        # a caller that leaves does not end the query for the others
        return await asyncio.shield(waiting.result)

    async def _run_all(self) -> None:
        while self._waiting:
            batch = self._take_batch()
            try:
                outcomes = await self._run(partial(self._outcomes, batch))
            except Exception as error:
                outcomes = [_Outcome(error=error)] * len(batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _resolve(waiting.result, outcome)

    def _take_batch(self) -> list[_Waiting]:
        """The queries that wait longest, without those that nobody waits for any more."""
        taken = [self._waiting.pop(key) for key in list(islice(self._waiting, MAX_BATCH))]
        asked_after = time.monotonic() - self._max_wait_s
        for waiting in taken:
            if waiting.asked_at < asked_after:
                text = "the query has waited too long and was not run"
                _resolve(waiting.result, _Outcome(error=Unavailable(text, passing=True)))
        return [waiting for waiting in taken if not waiting.result.done()]

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[_Outcome]:
        """Run *batch*, in the thread."""
        with self._together():
            return [_outcome(waiting.job) for waiting in batch]


def _outcome(job: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(job())
    except Exception as error:
        return _Outcome(error=error)


def _resolve(result: asyncio.Future[Any], outcome: _Outcome) -> None:
    if outcome.error is not None:
        result.set_exception(outcome.error)
    else:
        result.set_result(outcome.value)


def _retrieve(result: asyncio.Future[Any]) -> None:
    """Have the exception of *result* count as retrieved although its callers may have left."""
    if not result.cancelled():
        result.exception()
