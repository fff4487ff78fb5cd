"""Stand-ins for the OS processes of Ray actors: calls take and return copies, and end with the process."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from share_actors.config import Config
from share_actors.errors import LogError, ShareActorsError
from share_actors.events.log import Log, OpenLog

T = TypeVar("T")


class ProcessLost(Exception):
    """The process ended or was cut off; the call may have taken effect."""


class InProcess:
    """One stand-in for an OS process. It ends once, and is never started again."""

    def __init__(self, open_log: OpenLog) -> None:
        self._open_log = open_log
        self._logs: list[Log] = []
        loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = loop.create_future()
        self._killed: asyncio.Future[None] = loop.create_future()
        self._awake = asyncio.Event()
        self._awake.set()

    @property
    def is_lost(self) -> bool:
        """Whether it was killed or cut off and is unreachable."""
        return self._lost.done()

    @property
    def is_killed(self) -> bool:
        """Whether it was killed: its remaining work has no effect."""
        return self._killed.done()

    def suspend(self) -> None:
        """Let calls wait without an answer from now on; work that has begun continues."""
        self._awake.clear()

    def cut_off(self) -> None:
        """Make it unreachable for all callers; its work continues."""
        if not self.is_lost:
            self._lost.set_result(None)

    def kill(self) -> None:
        """End it like `kill -9`: it becomes unreachable, and its remaining work is not recorded.

        Python cannot end threads: a running driver call continues to its end.
        """
        self.cut_off()
        if not self.is_killed:
            self._killed.set_result(None)
        for log in self._logs:
            log.stop_writing()

    def open_log(self, config: Config, nodes: int = 1) -> Log:
        """The log as this process opens it; raises `LogError` after the process was killed."""
        if self.is_killed:
            raise LogError("the log cannot be opened: its process was killed")
        log = self._open_log(config, nodes)
        self._logs.append(log)
        return log

    async def close_logs(self) -> None:
        """Close the logs that this process opened; closing again does nothing."""
        for log in self._logs:
            await asyncio.to_thread(log.close)

    async def call(self, actor: object, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call *method* of *actor* in this process with copies of the arguments; the result is a copy too.

        Raises `ProcessLost`, or the actor's error: one that is not a `ShareActorsError` becomes one.
        As on Ray, a caller that is cancelled does not cancel the call.
        """
        args, kwargs = copied((args, kwargs))
        job = asyncio.ensure_future(self._serve(getattr(actor, method), *args, **kwargs))
        try:
            return copied(await _result(job, self._lost))
        except ProcessLost:
            if self.is_killed:
                job.cancel()
            raise
        except ShareActorsError:
            raise
        except Exception as error:
            raise ShareActorsError(f"internal error: {error!r}") from error

    async def _serve(self, method: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        await self._awake.wait()
        return await method(*args, **kwargs)

    async def send(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a *call* that this process makes to another one.

        When this process is killed its waiting task is cancelled; the call is not.
        """
        if self.is_killed:
            raise asyncio.CancelledError
        try:
            return await _result(asyncio.ensure_future(call()), self._killed)
        except ProcessLost:
            raise asyncio.CancelledError from None


async def _result(job: asyncio.Future[T], end: asyncio.Future[None]) -> T:
    """The result of *job*; raises `ProcessLost` if *end* comes first, and leaves *job* running."""
    job.add_done_callback(_retrieve)  # the caller may be cancelled
    waiting: set[asyncio.Future[Any]] = {job, end}
    if not end.done():
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if end.done():
        raise ProcessLost
    return job.result()


def copied(value: T) -> T:
    """*value* as another process receives it; raises an error if it cannot be sent."""
    copy: T = pickle.loads(pickle.dumps(value))
    return copy


def _retrieve(job: asyncio.Future[Any]) -> None:
    """Retrieve a result that no caller waits for, so that asyncio does not warn about it."""
    if not job.cancelled():
        job.exception()
