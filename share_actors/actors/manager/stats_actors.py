"""The stats actors, one for each backend: started where the backend is, and moved with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from share_actors.actors.hosting.evacuation import Evacuation
from share_actors.actors.hosting.node_records import NodeRecords
from share_actors.actors.hosting.nodes import unreachable
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.hosting.upgrades import silent, told_now
from share_actors.actors.ports import Cluster, Stats
from share_actors.config import Config
from share_actors.errors import ShareActorsError, Unavailable
from share_actors.values import BackendReport
from share_actors.versions import Versions

logger = logging.getLogger(__name__)
STATS_RETRY_S = 1.0
"""How soon a stats actor that did not start is started again."""


class StatsActors:
    """Starts them, finds them, and ends them. *config* is the one in force, with all moves."""

    def __init__(
        self,
        cluster: Cluster,
        supervisor: Supervisor,
        records: NodeRecords,
        evacuation: Evacuation,
        config: Callable[[], Config],
        configured: Callable[[], Config],
        publish: Callable[[BackendReport], Awaitable[None]],
    ) -> None:
        self._cluster, self._supervisor = cluster, supervisor
        self._records, self._evacuation = records, evacuation
        self._config, self._configured, self._publish = config, configured, publish
        self._running: dict[str, Stats] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, Versions] = {}
        self._moving: dict[str, asyncio.Lock] = {}
        self._places: dict[str, str] = {}
        """The nodes (ids) that stats actors were on when they last said so, by backend."""
        self._left: dict[str, str] = {}
        """The nodes (ids) that stats actors have left which are not started elsewhere yet, by backend."""

    def start(self, backend: str) -> None:
        """Start the backend's stats actor and its periodic reports; retried until it succeeds."""
        task = self._starting.get(backend)
        if task is None or task.done():
            self._starting[backend] = self._supervisor.spawn(self._start(backend))

    async def _start(self, backend: str) -> None:
        while backend in self._config().backends and not self._supervisor.stopping:
            try:
                if await self._may_start(backend):
                    stats = self._running[backend] = await self._find(backend)
                    await stats.follow()
                    if (report := await stats.latest()) is not None:
                        await self._publish(report)
                    self._left.pop(backend, None)
                    return
            except ShareActorsError as error:
                logger.warning("the stats actor of backend %s did not start: %s", backend, error)
            await asyncio.sleep(STATS_RETRY_S)

    async def _may_start(self, backend: str) -> bool:
        """Whether it may be started; one that is left on a forgotten node is ended, also if that is back."""
        node = self._node_of(backend)
        if node is None:
            return True
        await self._records.known(self._supervisor.timings.max_wait_s)
        node = self._node_of(backend)  # with the moves
        if not self._evacuation.is_cut_off(node):
            return True
        await self._cluster.end_stats(backend)
        return False

    async def versions(self) -> dict[str, dict[str, Any]]:
        """What each of them tells of its version, by the name of its actor; see `told_now`."""
        backends = list(self._config().backends)
        told = await asyncio.gather(*map(self._told_now, backends))
        return {f"stats-{name}": each for name, each in zip(backends, told, strict=True)}

    async def _told_now(self, backend: str) -> dict[str, Any]:
        stats, before = self._running.get(backend), self._told.get(backend)
        told = silent(before) if stats is None else await told_now(stats.versions(), before)
        if not told.get("silent"):
            self._told[backend] = Versions.of(told)
        return told

    def _node_of(self, backend: str) -> str | None:
        settings = self._config().backends.get(backend)
        return None if settings is None else settings.node

    async def of(self, backend: str) -> Stats:
        """The stats actor of *backend*; raises `Unavailable` if no node of it can be reached."""
        node = self._node_of(backend)
        if node is not None:
            await self._records.known(self._supervisor.timings.max_wait_s)
        if (absence := self._supervisor.nodes.absence(self._node_of(backend))) is not None:
            raise unreachable(backend, absence)
        if backend not in self._running:
            self._running[backend] = await self._find(backend)
        return self._running[backend]

    async def _find(self, backend: str) -> Stats:
        return await self._cluster.stats(backend, self._configured(), self._node_of(backend))

    async def end(self, backend: str) -> None:
        """End the stats actor of a backend that is not configured any more."""
        self._places.pop(backend, None)
        if (stats := self._running.pop(backend, None)) is not None:
            await stats.end()

    async def move(self, backend: str, *, was_lost: bool) -> str | None:
        """End the stats actor of *backend* where it is, and start it where the backend is now.

        Returns why what serves the backend could not be stopped there, if so.
        """
        async with self._moving.setdefault(backend, asyncio.Lock()):
            problem = None
            stats = self._running.pop(backend, None)
            self._places.pop(backend, None)
            if stats is not None and not was_lost:
                problem = await self._leave(backend, stats)
            await self._cluster.end_stats(backend)
            self.start(backend)
            return problem

    async def _leave(self, backend: str, stats: Stats) -> str | None:
        limit_s = self._config().backends[backend].timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await stats.leave()
            await stats.end()
        except TimeoutError:
            return f"backend {backend!r} has not stopped on its former node for {limit_s:g} s"
        except Unavailable as error:
            return error.message
        return None

    async def look(self) -> None:
        """End those on forgotten nodes, and begin to move those on drained ones."""
        await asyncio.gather(*(self._look_at(*item) for item in list(self._running.items())))

    async def _look_at(self, backend: str, stats: Stats) -> None:
        if self._evacuation.is_cut_off(self._node_of(backend)):
            self._running.pop(backend, None)
            self._places.pop(backend, None)
            await self._cluster.end_stats(backend)  # whoever waits for its start tries again
            self.start(backend)
        elif (
            left := await self._to_leave(backend, stats)
        ) is not None and backend not in self._left:
            self._left[backend] = left
            self._supervisor.spawn(self._move_in_background(backend))

    async def _move_in_background(self, backend: str) -> None:
        logger.info("the stats actor of backend %s leaves its node", backend)
        if (problem := await self.move(backend, was_lost=False)) is not None:
            logger.warning("%s", problem)

    async def _to_leave(self, backend: str, stats: Stats) -> str | None:
        """The id of its node if that is drained, and another node can have it."""
        nodes = {n.id for n in self._supervisor.nodes.all() if self._records.is_avoided(n)}
        if not nodes or (node_id := await self._place(backend, stats)) not in nodes:
            return None
        return node_id if self._records.usable(self._node_of(backend), without=node_id) else None

    async def on(self, node_id: str) -> list[str]:
        """The backends whose stats actors are on a node, or have left it and are not elsewhere yet.

        One that does not answer is where it last was; if that is not known, as while it is being started,
        it counts for each node that it may be on.
        """
        running = dict(self._running)
        places = await asyncio.gather(*(self._place(*item) for item in running.items()))
        answers = dict(zip(running, places, strict=True))
        backends = list(self._config().backends)
        return [name for name in backends if node_id in self._may_be_on(name, answers.get(name))]

    def _may_be_on(self, backend: str, answer: str | None) -> list[str]:
        """The ids of the nodes that a stats actor may be on: one, unless nothing is known of it."""
        living = {node.id for node in self._supervisor.nodes.all() if node.alive}
        for known in (answer, self._left.get(backend), self._places.get(backend)):
            if known in living:
                return [known]
        return [node.id for node in self._supervisor.nodes.usable(self._node_of(backend))]

    async def _place(self, backend: str, stats: Stats) -> str | None:
        """The id of the node that it is on; None if it does not answer."""
        with suppress(ShareActorsError, TimeoutError):
            place = await self._supervisor.answer(stats.node())
            if self._running.get(backend) is stats:  # else it has been moved meanwhile
                self._places[backend] = place
            return place
        return None
