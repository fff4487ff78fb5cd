"""A `Source` in a process of its own, which is started again whenever it has ended."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from share_actors.cli.console.frames import LIMIT_BYTES, frame, read_frame
from share_actors.errors import ShareActorsError, Unavailable

if TYPE_CHECKING:
    from share_actors.audit.explanation import Explanation
    from share_actors.cli.console.source import About
    from share_actors.cli.session import Options
    from share_actors.client.keywords import (
        EntityFilters,
        RuleFilters,
        ShareFilters,
        SnapshotFilters,
    )
    from share_actors.client.results import SystemStatus
    from share_actors.events.envelope import Recorded
    from share_actors.values import (
        BackendReport,
        BackendState,
        Page,
        Share,
        ShareRule,
        ShareServer,
        Snapshot,
    )

CONNECTOR = (sys.executable, "-m", "share_actors.cli.console.connector")
RESTART_S, END_S = 1.0, 0.5
"""The pause before a process that ended is started again, and how long one may take to end."""
AHEAD = 1000
"""How many batches of events may wait for the reader of them."""
Queue = asyncio.Queue[tuple[str, Any]]


class RemoteSource:
    """Asks a process that is connected to the system. Without one, each question raises `Unavailable`."""

    def __init__(self, options: Options, command: Sequence[str] = CONNECTOR) -> None:
        self._options, self._command = options, command
        self._numbers = itertools.count()
        self._open: dict[int, Queue] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._problem: ShareActorsError = Unavailable("connecting to the system")
        self._ready, self._told = asyncio.Event(), asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, and keep it running until `close`."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End the process."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping

    async def first_answer(self) -> ShareActorsError | None:
        """Wait until it is connected (None), or known why it is not."""
        waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._told)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return None if self._ready.is_set() else self._problem

    # -- the process -----------------------------------------------------------------------------
    async def _keep(self) -> None:
        while True:
            try:
                await self._run_once()
            except Exception as error:  # no process can be started, or it sends nonsense: try again
                self._problem = Unavailable(f"no connection: {type(error).__name__}: {error}")
                self._told.set()
            await asyncio.sleep(RESTART_S)

    async def _run_once(self) -> None:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = await self._started(theirs.fileno())
            try:
                await self._talk(ours)
            finally:
                self._lose()
                ours.close()  # the process ends when it reads the end of the stream
                await _finished(_end(process))

    async def _talk(self, connection: socket.socket) -> None:
        """Take what the process sends until it has ended."""
        reader, writer = await asyncio.open_connection(sock=connection, limit=LIMIT_BYTES)
        try:
            writer.write(frame(self._options))
            with suppress(EOFError, ConnectionError):
                while True:
                    self._take(await read_frame(reader), writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _started(self, descriptor: int) -> asyncio.subprocess.Process:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *self._command,
                str(descriptor),
                pass_fds=(descriptor,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=None if self._options.debug else asyncio.subprocess.DEVNULL,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _end(await starting)
            raise

    def _take(self, message: tuple[Any, ...], writer: asyncio.StreamWriter) -> None:
        match message:
            case ("ready",):
                self._writer = writer
                self._ready.set()
            case ("problem", ShareActorsError() as problem):
                self._problem = problem
                self._told.set()
            case (str(kind), int(number), content) if number in self._open:
                self._put(self._open[number], kind, content)
            case _:  # the answer to a question that was given up
                pass

    @staticmethod
    def _put(queue: Queue, kind: str, content: object) -> None:
        if queue.full():  # of events that nobody reads: the reader is told, and starts again
            queue.get_nowait()
            kind, content = "error", Unavailable("events came faster than they were read")
        queue.put_nowait((kind, content))

    def _lose(self) -> None:
        """Have each open question raise, as every later one does."""
        if self._ready.is_set():
            text = "the connection to the system was lost; connecting again"
            self._problem = Unavailable(text)
        self._writer = None
        self._ready.clear()
        self._told.set()
        for queue in self._open.values():
            self._put(queue, "error", self._problem)

    # -- questions -------------------------------------------------------------------------------
    async def _ask(self, method: str, *arguments: object) -> Any:
        with self._question("ask", method, arguments) as queue:
            return _content(await queue.get())

    @contextmanager
    def _question(self, kind: str, *about: object) -> Iterator[Queue]:
        """Send a question; its answers come in the queue. It is cancelled if it was left before its end."""
        if self._writer is None:
            raise self._problem.with_traceback(None)  # else each raise adds to it
        writer, number = self._writer, next(self._numbers)
        queue = self._open[number] = Queue(AHEAD)
        writer.write(frame((kind, number, *about)))
        try:
            yield queue
        except BaseException:
            if writer is self._writer:
                writer.write(frame(("cancel", number)))
            raise
        finally:
            del self._open[number]

    async def about(self) -> About:
        """See `Source`, as for the other methods."""
        return cast("About", await self._ask("about"))

    async def status(self) -> SystemStatus:
        return cast("SystemStatus", await self._ask("status"))

    async def shares(self, filters: ShareFilters) -> Page[Share]:
        return cast("Page[Share]", await self._ask("shares", filters))

    async def count_shares(self, filters: ShareFilters) -> dict[str, int]:
        return cast("dict[str, int]", await self._ask("count_shares", filters))

    async def share(self, id_or_name: str) -> Share:
        return cast("Share", await self._ask("share", id_or_name))

    async def history(self, share_id: str) -> Sequence[Recorded]:
        return cast("Sequence[Recorded]", await self._ask("history", share_id))

    async def explain(self, share_id: str) -> Explanation:
        return cast("Explanation", await self._ask("explain", share_id))

    async def rules(self, filters: RuleFilters) -> Page[ShareRule]:
        return cast("Page[ShareRule]", await self._ask("rules", filters))

    async def snapshots(self, filters: SnapshotFilters) -> Page[Snapshot]:
        return cast("Page[Snapshot]", await self._ask("snapshots", filters))

    async def servers(self, filters: EntityFilters) -> Page[ShareServer]:
        return cast("Page[ShareServer]", await self._ask("servers", filters))

    async def backends(self) -> Page[BackendState]:
        return cast("Page[BackendState]", await self._ask("backends"))

    async def reports(self) -> dict[str, BackendReport]:
        return cast("dict[str, BackendReport]", await self._ask("reports"))

    async def backend_history(self, backend: str) -> Sequence[Recorded]:
        return cast("Sequence[Recorded]", await self._ask("backend_history", backend))

    async def recent(self, count: int) -> Sequence[Recorded]:
        return cast("Sequence[Recorded]", await self._ask("recent", count))

    async def events(self, since: int) -> AsyncGenerator[Sequence[Recorded], None]:
        with self._question("follow", since) as queue:
            while True:
                yield _content(await queue.get())


def _content(answer: tuple[str, Any]) -> Any:
    kind, content = answer
    if kind == "error":
        raise content
    return content


async def _finished(work: Coroutine[Any, Any, None]) -> None:
    """Let *work* come to its end, also if this is cancelled meanwhile."""
    working = asyncio.create_task(work)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await working
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until *process* has ended, which reads the end of its stream; else kill it."""
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
