"""Answers the questions of a console over a stream, from a `Source` in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from share_actors.cli.console.frames import frame, read_frame
from share_actors.errors import ShareActorsError, Unavailable

if TYPE_CHECKING:
    from share_actors.cli.console.source import Source


class Answers:
    """The side of the source: each question is a task, which the other side may cancel.

    It gets `("ask", id, method, arguments)`, `("follow", id, since)` and `("cancel", id)`, and sends
    `("value", id, value)`, `("items", id, events)` and `("error", id, error)`.
    """

    def __init__(
        self, source: Source, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._source, self._reader, self._writer = source, reader, writer
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Answer until the other side is gone."""
        try:
            with suppress(EOFError, ConnectionError):
                while True:
                    self._take(await read_frame(self._reader))
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _take(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("ask", int(number), str(method), arguments):
                self._begin(number, self._answer(number, method, arguments))
            case ("follow", int(number), int(since)):
                self._begin(number, self._follow(number, since))
            case ("cancel", int(number)) if number in self._tasks:
                self._tasks[number].cancel()
            case _:
                pass

    def _begin(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(number, work))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    async def _guarded(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ShareActorsError as error:
            await self._send("error", number, error)
        except ConnectionError:  # the other side is gone, which `serve` sees too
            pass
        except Exception as error:
            text = f"unexpected {type(error).__name__}: {error}"
            await self._send("error", number, Unavailable(text))

    async def _answer(self, number: int, method: str, arguments: Sequence[Any]) -> None:
        await self._send("value", number, await getattr(self._source, method)(*arguments))

    async def _follow(self, number: int, since: int) -> None:
        async for events in self._source.events(since):
            await self._send("items", number, events)

    async def _send(self, *message: object) -> None:
        self._writer.write(frame(message))
        await self._writer.drain()
