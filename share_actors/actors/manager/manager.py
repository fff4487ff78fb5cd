"""ManagerActor: routes each command to the only activation of its share. It holds no authoritative state.

If it is killed, nothing is lost: its successor asks the hosts which shares they host, and pending work is in
the log. A plain class; `actors/runtime` makes it a named, detached Ray actor that Ray always restarts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from share_actors.actors.hosting.evacuation import Evacuation
from share_actors.actors.hosting.node_records import NodeRecords
from share_actors.actors.hosting.recovery import Recovery
from share_actors.actors.hosting.router import Answer, Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager.backend_verbs import BackendVerbs
from share_actors.actors.manager.exit_verbs import ExitVerbs
from share_actors.actors.manager.manage_checks import ManageChecks
from share_actors.actors.manager.manage_verbs import ManageVerbs
from share_actors.actors.manager.metrics import BackendFigures, ManagerFigures, SystemMetrics
from share_actors.actors.manager.middleware import LEDGER_TOPICS, Middleware
from share_actors.actors.manager.node_verbs import NodeVerbs
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.protection_verbs import ProtectionVerbs
from share_actors.actors.manager.quota_verbs import QuotaVerbs
from share_actors.actors.manager.recipients import misdirection
from share_actors.actors.manager.share_verbs import Context, ManagerVerbs, caller_in, permit
from share_actors.actors.manager.snapshot_verbs import SnapshotVerbs
from share_actors.actors.manager.stats_actors import StatsActors
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.manager.upgrade_verbs import UpgradeVerbs
from share_actors.actors.messaging.batch import Answers, Batch, OpenBatches, Rest
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    header_error,
)
from share_actors.actors.messaging.parameters import word
from share_actors.actors.messaging.traces import routed
from share_actors.actors.ports import Cluster
from share_actors.actors.scheduling.pool_stats import BackendReports
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.config import Config
from share_actors.errors import (
    NOT_RECORDED,
    Busy,
    InvalidRequest,
    NotFound,
    ShareActorsError,
    Unavailable,
)
from share_actors.events.aggregates import kind_of
from share_actors.events.visibility import seen_by
from share_actors.observability.tracing import tracing_of
from share_actors.values.waiting import WaitingForThread
from share_actors.versions import OWN

logger = logging.getLogger(__name__)
CATALOG_RETRY_S = 0.2
STOP_TIMEOUT_S = 10.0
"""How long `stop` waits for replies to commands in progress."""


class ManagerActor(
    ManagerVerbs,
    ProtectionVerbs,
    SnapshotVerbs,
    NodeVerbs,
    BackendVerbs,
    ManageVerbs,
    ExitVerbs,
    UpgradeVerbs,
    QuotaVerbs,
):
    """Manila's verbs (`share_verbs.py`), and the calls that clients batch: `submit` and `wait`."""

    def __init__(
        self, config: Config, cluster: Cluster, timings: ManagerTimings | None = None
    ) -> None:
        self._config = self._configured = config
        self._cluster, catalog = cluster, cluster.catalog
        self._timings = timings = timings or ManagerTimings()
        self._backend_reports = BackendReports(config.scheduler)
        self._scheduler = Scheduler(config, catalog, self._backend_reports, self._publish_now)
        checks = ManageChecks(catalog, self._stats_of)
        self._middleware = Middleware(self._scheduler, catalog, checks)
        self._batches = OpenBatches()
        self._tracing = tracing_of(config.traces, config.namespace)
        self._entity_client = EntityClient(lambda: self)
        self._ledger_loaded: asyncio.Task[None] | None = None
        self._supervise(config, cluster, timings)
        at_once, retry_s = config.hosting.recovery_at_once, timings.recovery_retry_s
        self._recovery = Recovery(self._supervisor, self._router, catalog, at_once, retry_s=retry_s)
        self._waiting = 0
        self._started_at = time.time()
        self._ready: asyncio.Task[None] | None = None

    def _supervise(self, config: Config, cluster: Cluster, timings: ManagerTimings) -> None:
        """Make what looks after nodes, hosts and stats actors, and what finds entities there."""
        self._supervisor = Supervisor(cluster, config.hosting, timings.supervisor)
        self._records = NodeRecords(cluster.catalog, self._entity_client, self._supervisor.nodes)
        self._evacuation = Evacuation(
            cluster, self._supervisor, self._records, lambda: self._config
        )
        self._stats = StatsActors(
            cluster,
            self._supervisor,
            self._records,
            self._evacuation,
            lambda: self._config,
            lambda: self._configured,
            self.publish,
        )
        self._periodic_tasks = PeriodicTasks(
            config,
            cluster.catalog,
            self._entity_client,
            self._backend_reports,
            self._supervisor.nodes,
            timings,
        )
        self._metrics = SystemMetrics(
            config.metrics, self._supervisor, cluster.catalog, self._figures
        )
        self._router = Router(
            self._supervisor,
            cluster.catalog,
            config,
            self._records.known,
            self._metrics.refusal,
        )

    async def ready(self) -> None:
        """Return once commands can be routed; the first call starts the system."""
        if self._ready is None or (self._ready.done() and self._ready.exception()):
            self._ready = asyncio.create_task(self._start())
        await asyncio.shield(self._ready)

    async def _start(self) -> None:
        await self._supervisor.gather()
        self._supervisor.spawn(self._recovery.run())
        self._supervisor.spawn(self._periodic_tasks.run())
        self._supervisor.spawn(self._follow_nodes())
        self._metrics.start()
        for backend in self._config.backends:
            self._stats.start(backend)
        self._ledger_loaded = self._supervisor.spawn(self._load_ledger())

    async def _load_ledger(self) -> None:
        """Read the room that is taken, after the hosts recorded what an earlier manager sent them."""
        drains = [host.drain() for host in self._supervisor.hosts.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.drain_timeout_s):
                await asyncio.gather(*drains, return_exceptions=True)
        await self._scheduler.ledger.read()
        if not self._scheduler.ledger.is_whole:
            logger.warning("the catalog catches up: shares are placed by what backends measure")
            self._supervisor.spawn(self._scheduler.count_whole())

    # -- commands --------------------------------------------------------------------------------
    async def submit(self, messages: list[CommandMessage]) -> list[CommandReply]:
        """Route each command to its share; replies in order. See `ShareHost.submit`."""
        await self.ready()
        return await self._take(messages).replies()

    async def begin(self, messages: list[CommandMessage]) -> Answers:
        """The same as `submit`, without waiting for the slowest: the replies that come first."""
        await self.ready()
        return await self._batches.begin(self._take(messages))

    async def more(self, rest: Rest) -> Answers:
        """The next replies to the commands of a batch; raises `Unavailable` if it is unknown."""
        return await self._batches.more(rest)

    def _take(self, messages: list[CommandMessage]) -> Batch:
        """Route each command that there is room for; each is answered as its reply comes."""
        batch = Batch(len(messages))
        backlog = 0 if self._supervisor.stopping else self._config.hosting.backlog
        room = max(0, backlog - self._waiting)
        for n, message in enumerate(messages[:room]):
            if (malformed := header_error(message)) is not None:
                batch.answer(n, self._metrics.refusal(message, malformed))
                continue
            self._waiting += 1
            answer: Answer = partial(self._answer, batch, n, message)
            taken = partial(batch.take, n)
            if self._tracing is not None:
                message, answer = routed(self._tracing, message, answer)  # noqa: PLW2901
            if (refusal := misdirection(message)) is not None:
                answer(self._metrics.refusal(message, refusal))
            elif not self._middleware.must_place(message):
                self._router.send(message, answer, taken)
            elif (placed := self._placed_now(message)) is not None:
                self._router.send(placed, answer, taken)
            else:
                self._supervisor.spawn(self._place_and_send(message, answer, taken))
        for n, message in enumerate(messages[room:], room):
            batch.answer(n, self._metrics.refusal(message, self._overload_error()))
        return batch

    def _answer(self, batch: Batch, n: int, message: CommandMessage, reply: CommandReply) -> None:
        self._waiting -= 1
        batch.answer(n, self._with_home(reply))
        self._middleware.after_dispatch(message, reply)

    def _with_home(self, reply: CommandReply) -> CommandReply:
        """*reply* with the host of its entity, so that the client can send the next command there itself."""
        if reply.error is not None:
            return reply
        return reply._replace(home=self._supervisor.directory.home_of_active(reply.share_id))

    def _placed_now(self, message: CommandMessage) -> CommandMessage | None:
        """*message* with its place, if that needs no task of its own: nothing is waited for."""
        if self._ledger_loaded is not None:
            return None
        return self._middleware.placed_immediately(message)

    async def _place_and_send(
        self, message: CommandMessage, answer: Answer, taken: Callable[[], None]
    ) -> None:
        if message.topic in LEDGER_TOPICS:
            await self._wait_for_ledger()
        placed = await self._middleware.place(message)
        if isinstance(placed, CommandMessage):
            self._router.send(placed, answer, taken)
        else:
            answer(self._metrics.refused(message, placed))

    async def _wait_for_ledger(self) -> None:
        """Return once the ledger was read; while the catalog can't be reached, that is retried."""
        while self._ledger_loaded is not None:
            try:
                await asyncio.shield(self._ledger_loaded)
            except ShareActorsError:
                self._ledger_loaded = self._supervisor.spawn(self._load_ledger())
                await asyncio.sleep(CATALOG_RETRY_S)
            else:
                self._ledger_loaded = None

    def _overload_error(self) -> ShareActorsError:
        if self._supervisor.stopping:
            return Unavailable(f"the system is stopping{NOT_RECORDED}")
        return Busy(f"{self._waiting} commands are waiting already", retry_after=0.2)

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: Context = None
    ) -> list[CommandReply]:
        """The outcomes of those of *pairs* (share id, command id) that have ended; see `ShareHost.wait`."""
        await self.ready()
        caller = None if context is None else caller_in(context)
        return await self._router.wait(list(pairs), timeout_s, caller)

    # -- questions -------------------------------------------------------------------------------
    async def view(self, share_id: str, context: Context = None) -> Any:
        """The current share, or the entity at that address, read from its activation; raises `NotFound`.

        While the node that it is pinned to is lost, it is read from the catalog.
        """
        word("share_id", share_id)
        await self.ready()
        try:
            _, entity = await self._router.call(share_id, lambda host: host.view(share_id))
        except (InvalidRequest, NotFound):
            self._supervisor.directory.forget([share_id])  # it has no events, so it needs no home
            raise
        except Unavailable as error:
            entity = await self._recorded(share_id) if "node" in error.details else None
            if entity is None:
                raise
        return seen_by(caller_in(context), entity, share_id)

    async def _recorded(self, address: str) -> Any:
        """The share or entity at *address* as the log has it; None if it has none."""
        catalog = self._cluster.catalog
        if kind_of(address) == "share":
            return await catalog.ask("share", share_id=address)
        return await catalog.ask("entity", address=address)

    async def where(self, share_id: str, context: Context = None) -> dict[str, Any]:
        """Name, process id and number of entities of the Ray actor that hosts *share_id*, once active."""
        await self.view(share_id, context)
        permit("where", context)
        name, report = await self._router.call(share_id, lambda host: host.report())
        return {"actor": name, "pid": report.pid, "shares": report.entities}

    async def status(self, context: Context = None) -> dict[str, Any]:
        """The state of the system for `share-actors status`, without the catalog's part."""
        permit("status", context)
        await self.ready()
        return {
            "pid": os.getpid(),
            "version": OWN.program,
            "up_s": round(time.time() - self._started_at, 1),
            "waiting": self._waiting,
            "actors": self._supervisor.status(),
            "nodes": [self._node_status(node) for node in self._supervisor.nodes.all()],
            "broken": self._recovery.broken,
            "backends": {name: self._backend_status(name) for name in self._config.backends},
            "log": self._config.log.kind,
            "metrics": self._metrics.status(),
        }

    def _figures(self) -> ManagerFigures:
        """What the manager knows, for its metrics."""
        backends = {
            name: BackendFigures(
                self._backend_status(name)["status"] == "up", self._backend_reports.latest(name)
            )
            for name in self._config.backends
        }
        return ManagerFigures(self._waiting, len(self._recovery.broken), backends)

    async def config(self) -> Config:
        """The current configuration, as it was given, without the key of secrets."""
        return self._configured.model_copy(update={"secrets_key": None})

    async def place_in_line(
        self, share_id: str, context: Context = None
    ) -> WaitingForThread | None:
        """Where the driver call of a share or entity waits for a thread; None if none does."""
        await self.view(share_id, context)
        _, place = await self._router.call(share_id, lambda host: host.place_in_line(share_id))
        return place

    async def under_way(self) -> list[dict[str, Any]]:
        """The driver calls that are under way: the `id` of the share, the `work`, and its `seconds`."""
        return [call._asdict() for call in await self._supervisor.under_way()]

    async def stop(self, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """Reject new commands, reply to those in progress, and stop every host.

        Driver calls may end within *timeout_s* (default: a few seconds). Returns those that were cut off.
        """
        self._supervisor.stopping = True
        await self._metrics.stop()
        began = time.monotonic()
        until = began + min(STOP_TIMEOUT_S, STOP_TIMEOUT_S if timeout_s is None else timeout_s)
        while self._waiting and time.monotonic() < until:
            await asyncio.sleep(0.05)
        left_s = None if timeout_s is None else max(0.0, began + timeout_s - time.monotonic())
        return [call._asdict() for call in await self._supervisor.stop(left_s)]
