"""ManagerActor: routes commands to the one living activation of each share. It owns no truth.

A kill loses nothing: what it knew of homes is asked of the hosts again, and what is owed is in the log.
A plain class; `actors/runtime` makes it a Ray actor, named, detached and restarted for ever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from share_actors.actors.hosting.recovery import Recovery
from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.middleware import Middleware
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.share_verbs import ManagerVerbs
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import CommandMessage, CommandReply, refusal
from share_actors.actors.ports import Cluster, Stats
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.actors.sealing import Sealer
from share_actors.config import Config
from share_actors.errors import Busy, NotFound, ShareActorsError, Unavailable

logger = logging.getLogger(__name__)
QUIET_S = 5.0
"""How long what an earlier manager sent on may take to be recorded."""


class ManagerActor(ManagerVerbs, BackendVerbs, ManageVerbs):
    """Manila's verbs (`share_verbs.py`), and the calls that clients batch: `submit` and `wait`."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        self._config, self._cluster = config, cluster
        self._backend_reports = BackendReports(config.scheduler)
        self._scheduler = Scheduler(config, cluster.catalog, self._backend_reports)
        self._middleware = Middleware(self._scheduler, lambda: Sealer.of(self._config))
        self._entity_client = EntityClient(lambda: self)
        self._periodic_tasks = PeriodicTasks(
            config, cluster.catalog, self._entity_client, self._backend_reports
        )
        self._stats: dict[str, Stats] = {}
        self._counted: asyncio.Task[None] | None = None
        self._supervisor = Supervisor(cluster, config.hosting)
        self._router = Router(self._supervisor, cluster.catalog, config)
        self._recovery = Recovery(
            self._supervisor, self._router, cluster.catalog, config.hosting.recovery_at_once
        )
        self._waiting = 0
        self._started_at = time.time()
        self._ready: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Return once commands can be routed; the first call starts it all."""
        if self._ready is None or (self._ready.done() and self._ready.exception()):
            self._ready = asyncio.create_task(self._start())
        await asyncio.shield(self._ready)

    async def _start(self) -> None:
        await self._supervisor.gather()
        self._supervisor.spawn(self._recovery.run())
        self._supervisor.spawn(self._periodic_tasks.run())
        for backend in self._config.backends:
            self._supervisor.spawn(self._begin_stats(backend))
        self._counted = self._supervisor.spawn(self._count())

    async def _count(self) -> None:
        """What a manager before this one decided is recorded first; then the ledger is looked up."""
        drain = [host.drain() for host in self._supervisor.hosts.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await asyncio.gather(*drain, return_exceptions=True)
        await self._scheduler.look()

    # -- commands --------------------------------------------------------------------------------
    async def submit(self, asks: list[CommandMessage]) -> list[CommandReply]:
        """Route each command to its share; answers in order. See `ShareHost.submit`."""
        await self.ready()
        room = (
            0 if self._supervisor.stopping else max(0, self._config.hosting.backlog - self._waiting)
        )
        over = [refusal(asked, self._too_busy()) for asked in asks[room:]]
        taken = asks[:room]
        self._waiting += len(taken)
        try:
            return [*await self._answers(taken), *over]
        finally:
            self._waiting -= len(taken)

    async def _answers(self, taken: list[CommandMessage]) -> list[CommandReply]:
        prepared = await self._prepared(taken)
        asks = [asked for asked in prepared if isinstance(asked, CommandMessage)]
        answers = await self._router.answers(asks)
        self._middleware.answered(asks, answers)
        if len(asks) == len(prepared):
            return answers
        came = iter(answers)
        return [next(came) if isinstance(item, CommandMessage) else item for item in prepared]

    async def _prepared(self, taken: list[CommandMessage]) -> list[CommandMessage | CommandReply]:
        if any(asked.topic == "share.create" for asked in taken):
            await self._ledger_ready()
        return await self._middleware.prepared(taken)

    async def _ledger_ready(self) -> None:
        """The ledger was looked up once; while the catalog can't be reached, that is tried again."""
        while self._counted is not None:
            try:
                await asyncio.shield(self._counted)
            except ShareActorsError:
                self._counted = self._supervisor.spawn(self._count())
                await asyncio.sleep(0.2)
            else:
                self._counted = None

    def _too_busy(self) -> ShareActorsError:
        if self._supervisor.stopping:
            return Unavailable("the system is going down; nothing was recorded")
        return Busy(f"{self._waiting} commands wait already", retry_after=0.2)

    async def wait(self, pairs: Sequence[tuple[str, str]], timeout_s: float) -> list[CommandReply]:
        """Outcomes of those of *pairs* (share id, command id) that ended; see `ShareHost.wait`."""
        await self.ready()
        return await self._router.outcomes(list(pairs), timeout_s)

    # -- questions -------------------------------------------------------------------------------
    async def view(self, share_id: str) -> Any:
        """The share (or what has that address) as its own actor knows it; raises `NotFound`."""
        await self.ready()
        try:
            return (await self._router.asked(share_id, lambda host: host.view(share_id)))[1]
        except NotFound:
            self._supervisor.directory.forget([share_id])  # what is not there takes up no room
            raise

    async def where(self, share_id: str) -> dict[str, Any]:
        """The name and OS process of the Ray actor that *share_id* lives in, waking it if need be."""
        await self.view(share_id)
        name, report = await self._router.asked(share_id, lambda host: host.report())
        return {"actor": name, "pid": report.pid, "shares": report.entities}

    async def status(self) -> dict[str, Any]:
        """How the system is doing, for `share-actors status`; the catalog's part comes from the catalog."""
        await self.ready()
        return {
            "pid": os.getpid(),
            "up_s": round(time.time() - self._started_at, 1),
            "waiting": self._waiting,
            "actors": self._supervisor.status(),
            "broken": self._recovery.broken,
            "backends": {n: self._how_is(n) for n in self._config.backends},
            "log": self._config.log.kind,
        }

    async def config(self) -> Config:
        """The configuration in force, but for the key of secrets."""
        return self._config.model_copy(update={"secrets_key": None})

    async def stop(self) -> None:
        """Answer what is in flight, take nothing new, and let every host leave its log in order."""
        self._supervisor.stopping = True
        until = time.monotonic() + 10.0
        while self._waiting and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await self._supervisor.stop()
