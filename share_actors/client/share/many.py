"""The results of many requests that are sent together, in the order of the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from share_actors.actors.messaging.messages import CommandReply
from share_actors.client.receipt import Receipt
from share_actors.client.requests import SentCommand, receipt_in
from share_actors.errors import ShareActorsError

R = TypeVar("R")


class Results(Generic[R]):
    """Makes results of receipts with *result*; only a request whose reply leaves more to do gets a task.

    The task runs *finish*, which sends the request again, or waits for its work.
    """

    def __init__(
        self, result: Callable[[Receipt], R], finish: Callable[[SentCommand], Awaitable[R]]
    ) -> None:
        self._result, self._finish = result, finish
        self._tasks: dict[int, asyncio.Task[R | ShareActorsError]] = {}
        self._unanswered = 0
        self._answered = asyncio.Event()

    async def of(
        self, sent: Sequence[SentCommand | ShareActorsError], until: float
    ) -> list[R | ShareActorsError]:
        """The result of each request, or its error; replies are awaited *until* (as of `time.monotonic`)."""
        waiting = [(n, item) for n, item in enumerate(sent) if isinstance(item, SentCommand)]
        self._unanswered = len(waiting)
        for n, item in waiting:
            item.reply.add_done_callback(partial(self._reply, n, item))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._until_answered()
            for n, item in waiting:
                if not item.reply.done():
                    self._start(n, item)  # it says that there was no reply in time
            await asyncio.gather(*self._tasks.values())
        finally:
            for task in self._tasks.values():
                task.cancel()
        return [self._of_one(n, item) for n, item in enumerate(sent)]

    async def _until_answered(self) -> None:
        if self._unanswered:
            await self._answered.wait()

    def _reply(self, n: int, sent: SentCommand, _: asyncio.Future[CommandReply]) -> None:
        if receipt_in(sent) is None:
            self._start(n, sent)
        self._unanswered -= 1
        if not self._unanswered:
            self._answered.set()

    def _start(self, n: int, sent: SentCommand) -> None:
        if n not in self._tasks:
            self._tasks[n] = asyncio.ensure_future(self._finished(sent))

    async def _finished(self, sent: SentCommand) -> R | ShareActorsError:
        try:
            return await self._finish(sent)
        except ShareActorsError as error:
            return error

    def _of_one(self, n: int, sent: SentCommand | ShareActorsError) -> R | ShareActorsError:
        if isinstance(sent, ShareActorsError):
            return sent
        if n in self._tasks:
            return self._tasks[n].result()
        receipt = receipt_in(sent)
        assert receipt is not None  # otherwise it would have a task
        try:
            return self._result(receipt)
        except ShareActorsError as error:
            return error
