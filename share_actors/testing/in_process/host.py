"""A `Host` in this process: a real `ShareHost`, which can be killed, cut off and restarted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.hosting.timings import HostTimings
from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.ports import CallUnderWay, HostLost, HostReport
from share_actors.config import Config
from share_actors.events.log import OpenLog
from share_actors.observability.counts import Sample
from share_actors.policy import Caller
from share_actors.testing.in_process.manager import ManagerPort, ManagerProcess
from share_actors.testing.in_process.nodes import NODE
from share_actors.testing.in_process.process import InProcess, ProcessLost
from share_actors.values.waiting import WaitingForThread
from share_actors.versions import OWN

RESTART_S = 0.2
"""How long a host that is restarted cannot be reached."""


class InProcessShareHost(ShareHost):
    """A real host, which can be abandoned."""

    def hosts(self, entity_id: str) -> bool:
        """Whether the entity is in this host's memory."""
        return entity_id in self._entities

    def abandon(self) -> None:
        """Abandon tasks and driver threads immediately, as if its process had died."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._backends.close()


class InProcessHost:
    """A `Host` in this process. `pid` stands for its OS process: another one after each restart."""

    def __init__(
        self,
        name: str,
        config: Callable[[], Config],
        open_log: OpenLog,
        find_manager: Callable[[], ManagerProcess],
        timings: HostTimings | None = None,
        node: str = NODE,
    ) -> None:
        self.name, self.node = name, node
        self.pid = 0
        self.told = OWN
        """The versions that its process tells; a test may set others before it is restarted."""
        self._config, self._open_log, self._find_manager = config, open_log, find_manager
        self._timings = timings
        self._lost: list[tuple[InProcess, InProcessShareHost]] = []
        self._restart: asyncio.TimerHandle | None = None
        self.start()

    # -- its process -----------------------------------------------------------------------------
    def start(self) -> None:
        """Start a new process for it, without any entities."""
        self.pid += 1
        self.process = InProcess(self._open_log)
        port = ManagerPort(self._find_manager, self.process)
        self.inner = InProcessShareHost(
            self._config(),
            entity_client=EntityClient(port.when_started),
            open_log=self.process.open_log,
            timings=self._timings,
        )

    @property
    def is_lost(self) -> bool:
        """Whether it was killed or cut off, and not started since."""
        return self.process.is_lost

    def cut_off(self) -> None:
        """Make it unreachable, as after a network failure; its work continues."""
        if not self.is_lost:
            self.process.cut_off()
            self._lost.append((self.process, self.inner))

    def kill(self) -> None:
        """End its process as `kill -9` does; it stays away until `start` or `restart`."""
        self.cut_off()
        self.process.kill()

    def suspend(self) -> None:
        """Let its calls wait without an answer, as SIGSTOP does; `restart` ends that."""
        self.process.suspend()

    async def restart(self) -> None:
        """Kill it, and start it again after a moment, as Ray does."""
        self.kill()
        self._restart = asyncio.get_running_loop().call_later(RESTART_S, self.start)

    def hosts(self, entity_id: str) -> bool:
        """Whether the entity (such as a share, by its id) is in its memory now."""
        return not self.is_lost and self.inner.hosts(entity_id)

    async def close(self) -> None:
        """Free the resources of this host and its earlier processes; a live host stops in order."""
        if self._restart is not None:
            self._restart.cancel()
        for process, inner in self._lost:
            inner.abandon()
            await process.close_logs()
        if not self.is_lost:
            await self.inner.stop()
            await self.process.close_logs()

    # -- the port ----------------------------------------------------------------------------------
    async def submit(self, commands: list[CommandMessage], /) -> list[CommandReply]:
        """See `ShareHost.submit`, as for all of the port's methods here."""
        replies: list[CommandReply] = await self._call("submit", commands)
        return replies

    async def begin(self, commands: list[CommandMessage], /) -> Answers:
        """The replies that come first."""
        answers: Answers = await self._call("begin", commands)
        return answers

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch."""
        answers: Answers = await self._call("more", rest)
        return answers

    async def wait(
        self,
        pairs: Sequence[tuple[str, str]],
        timeout_s: float,
        caller: Caller | None = None,
        /,
    ) -> list[CommandReply]:
        """Outcomes of those commands that ended."""
        replies: list[CommandReply] = await self._call("wait", pairs, timeout_s, caller)
        return replies

    async def wake(self, share_ids: Sequence[str], /) -> dict[str, str]:
        """Activate shares; the reasons of those that cannot be, by id."""
        reasons: dict[str, str] = await self._call("wake", share_ids)
        return reasons

    async def view(self, share_id: str, /) -> Any:
        """The entity as it is now; raises `NotFound`."""
        return await self._call("view", share_id)

    async def reconfigure(self, config: Config, /) -> None:
        """Continue with *config*, until the process ends."""
        await self._call("reconfigure", config)

    async def drain(self) -> None:
        """Return when everything that is being submitted now has a reply."""
        await self._call("drain")

    async def report(self) -> HostReport:
        """Counts of this host; raises `LogError` when it cannot open its log."""
        report: HostReport = await self._call("report")
        return report._replace(pid=self.pid, node=self.node)

    async def versions(self) -> Mapping[str, Any]:
        """What it tells of its version, which is `told`."""
        told: Mapping[str, Any] = await self._call("versions")
        return {**told, **self.told.told()}

    async def passivated(self, entity_ids: Sequence[str], /) -> Sequence[str]:
        """The entities that left memory since the last call, and those of *entity_ids* not here."""
        absent: Sequence[str] = await self._call("passivated", entity_ids)
        return absent

    async def resident(self) -> Mapping[str, int]:
        """The versions of the entities in memory, by id."""
        versions: Mapping[str, int] = await self._call("resident")
        return versions

    async def drop(self, entity_ids: Sequence[str], /) -> None:
        """End the activations of these entities, which have their home elsewhere."""
        await self._call("drop", entity_ids)

    async def leave(self) -> Sequence[str]:
        """Take in no more entities and end what is not at work; what is left."""
        left: Sequence[str] = await self._call("leave")
        return left

    async def metrics(self, name: str, /) -> Sequence[Sample]:
        """What it has counted since its process started."""
        samples: Sequence[Sample] = await self._call("metrics", name)
        return samples

    async def under_way(self) -> Sequence[CallUnderWay]:
        """The driver calls that are under way."""
        calls: Sequence[CallUnderWay] = await self._call("under_way")
        return calls

    async def place_in_line(self, entity_id: str, /) -> WaitingForThread | None:
        """Where the driver call of an entity waits for a thread; None if none does."""
        place: WaitingForThread | None = await self._call("place_in_line", entity_id)
        return place

    async def stop(self, timeout_s: float | None = None, /) -> Sequence[CallUnderWay]:
        """Let running work end, then close the log; the calls that were cut off."""
        cut_off: Sequence[CallUnderWay] = await self._call("stop", timeout_s)
        return cut_off

    async def _call(self, method: str, *args: Any) -> Any:
        try:
            return await self.process.call(self.inner, method, *args)
        except ProcessLost:
            raise HostLost(self.name, "killed") from None
