"""The manager in this process, and the ports by which clients, hosts and stats actors reach it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.errors import ShareActorsError, Unavailable
from share_actors.testing.in_process.process import InProcess, ProcessLost
from share_actors.values import BackendReport, RoomTaken


class InProcessManager(ManagerActor):
    """A real manager, which can be abandoned."""

    def start_by_itself(self) -> None:
        """Begin to start without a call, as a manager that Ray restarts."""
        self._supervisor.spawn(self._start_without_caller())

    async def _start_without_caller(self) -> None:
        with suppress(ShareActorsError):  # the next call tries again, and gets the error
            await self.ready()

    def abandon(self) -> None:
        """End its background tasks immediately, as if its process had died; the hosts continue."""
        self._supervisor.abandon()


class ManagerProcess:
    """The manager and its process."""

    def __init__(self, manager: InProcessManager, process: InProcess) -> None:
        self.manager, self._process = manager, process

    def kill(self) -> None:
        """Callers get `Unavailable` until there is another manager."""
        self._process.kill()
        self.manager.abandon()

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the manager; raises its errors, and `Unavailable` when it was killed."""
        try:
            return await self._process.call(self.manager, method, *args, **kwargs)
        except ProcessLost:
            raise Unavailable("the manager can't be reached: it was killed", passing=True) from None


class ManagerPort:
    """The manager as one other process reaches it; a process that was killed sends nothing."""

    def __init__(self, find: Callable[[], ManagerProcess], caller: InProcess) -> None:
        self._find, self._caller = find, caller

    def when_started(self) -> ManagerPort:
        """This port, once there is a manager; raises `Unavailable`."""
        self._find()
        return self

    async def submit(self, commands: list[CommandMessage], /) -> list[CommandReply]:
        """Have commands recorded; see `ManagerActor.submit`."""
        replies: list[CommandReply] = await self._call("submit", commands)
        return replies

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]:
        """Outcomes of commands; see `ManagerActor.wait`."""
        replies: list[CommandReply] = await self._call("wait", pairs, timeout_s)
        return replies

    async def view(self, address: str, /) -> Any:
        """The entity at *address* now; raises `NotFound`."""
        return await self._call("view", address)

    async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
        """What shares take of *backend*, which is measured now."""
        taken: dict[str, RoomTaken] = await self._call("begin_measurement", backend)
        return taken

    async def publish(self, report: BackendReport, /) -> None:
        """Hand a backend's report to the scheduler."""
        await self._call("publish", report)

    async def _call(self, method: str, *args: Any) -> Any:
        return await self._caller.send(lambda: self._find().call(method, *args))
