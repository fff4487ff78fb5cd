"""The metrics of the whole system: collected from all actors every period, and served by the manager."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    error_reply,
    kind_of_command,
    unpack_error,
)
from share_actors.actors.ports import CatalogForCallers, Host
from share_actors.config.observability import MetricsSettings
from share_actors.errors import ShareActorsError
from share_actors.events.catalog.figures import Figures
from share_actors.observability import metrics
from share_actors.observability.counts import Sample, Timers, gauge, gauges
from share_actors.observability.exporter import Exporter
from share_actors.observability.log_context import about, fields_of
from share_actors.observability.tracing import trace_id_in
from share_actors.values import BackendReport, Pool

logger = logging.getLogger(__name__)
MANAGER = "manager"
ANSWER_S = 5.0
"""How long an actor may take to answer; its series are missing otherwise."""
RETRY_S = 1.0
"""How soon an address that is in use is tried again: an earlier manager may be about to end."""
GIB = 2**30


class BackendFigures(NamedTuple):
    """What is known of a backend now: whether it is up, and its last report."""

    is_up: bool
    report: BackendReport | None


class ManagerFigures(NamedTuple):
    """What the manager knows: commands without a reply, shares that cannot be activated, the backends."""

    waiting: int
    broken: int
    backends: Mapping[str, BackendFigures]


class SystemMetrics:
    """Collects the metrics of a system and serves them at the configured address, if there is one."""

    def __init__(
        self,
        settings: MetricsSettings,
        supervisor: Supervisor,
        catalog: CatalogForCallers,
        of_manager: Callable[[], ManagerFigures],
    ) -> None:
        self._settings, self._supervisor = settings, supervisor
        self._catalog, self._of_manager = catalog, of_manager
        self._refused = Timers()
        self._started_at = time.time()
        self._exporter = Exporter()
        self._running: asyncio.Task[None] | None = None
        self._error: str | None = None

    def refusal(self, message: CommandMessage, error: ShareActorsError) -> CommandReply:
        """The reply to a command that reached no share actor, which is counted."""
        return self.refused(message, error_reply(message, error))

    def refused(self, message: CommandMessage, reply: CommandReply) -> CommandReply:
        """Count *reply*, by which the manager refuses a command, and return it."""
        code = reply.status if reply.error is None else unpack_error(reply.error).code
        self._refused[kind_of_command(message.topic), code].add(0.0)
        if logger.isEnabledFor(logging.INFO) and reply.error is not None:
            trace_id = trace_id_in(str(message.trace))
            with about(
                fields_of(str(message.share_id), str(message.command_id), trace_id=trace_id)
            ):
                reason = unpack_error(reply.error).message
                logger.info("%s is refused: %s", kind_of_command(message.topic), reason)
        return reply

    def status(self) -> dict[str, Any]:
        """Where metrics are served (None: nowhere), and why they are not, if they should be."""
        return {"url": self._exporter.url, "error": self._error}

    # -- serving ---------------------------------------------------------------------------------
    def start(self) -> None:
        """Serve metrics from now on, if an address is configured."""
        if self._settings.address is not None and self._running is None:
            self._running = self._supervisor.spawn(self._run(self._settings.address))

    async def stop(self) -> None:
        """Serve no longer."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self, address: str) -> None:
        try:
            while not self._begin(address):
                await asyncio.sleep(RETRY_S)
            while True:
                try:
                    self._exporter.publish(await self.collect())
                except Exception:  # any bug: continue with the next period
                    logger.exception("the metrics could not be collected")
                await asyncio.sleep(self._settings.every_s)
        finally:
            await asyncio.to_thread(self._exporter.stop)

    def _begin(self, address: str) -> bool:
        try:
            self._exporter.start(address)
        except ShareActorsError as error:
            if self._error is None:
                logger.warning("%s", error)
            self._error = error.message
            return False
        self._error = None
        return True

    # -- collecting ------------------------------------------------------------------------------
    async def collect(self) -> list[Sample]:
        """All samples at this moment; those of an actor that does not answer are missing."""
        hosts = list(self._supervisor.hosts.items())
        counted = await asyncio.gather(*(self._of_host(*host) for host in hosts))
        figures = await self._of_catalog()
        return [
            *(sample for samples in counted for sample in samples),
            *self._refused.counted(metrics.COMMANDS, MANAGER),
            *self._of_system(),
            *(() if figures is None else _of_log(figures)),
        ]

    async def _of_host(self, name: str, host: Host) -> Sequence[Sample]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await host.metrics(name)
        except Exception as error:  # it is lost, does not answer, or is of an earlier version
            logger.info("no metrics of %s: %r", name, error)
            return ()

    async def _of_catalog(self) -> Figures | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._catalog.figures()
        except Exception as error:  # as of a host
            logger.info("no figures of the log: %r", error)
            return None

    def _of_system(self) -> Iterator[Sample]:
        known = self._of_manager()
        yield gauge(metrics.BUILD, 1, version("share_actors"))
        yield gauge(metrics.MANAGER_START, self._started_at)
        yield gauge(metrics.COLLECTED_AT, time.time())
        yield gauge(metrics.ACTOR_WAITING, known.waiting, MANAGER)
        yield gauge(metrics.UNREACHABLE, known.broken)
        yield from self._of_nodes()
        for actor in self._supervisor.status():
            yield from _of_actor(actor)
        for name, backend in known.backends.items():
            yield from _of_backend(name, backend)

    def _of_nodes(self) -> Iterator[Sample]:
        nodes = [node.alive for node in self._supervisor.nodes.all()]
        yield from gauges(metrics.NODES, {"alive": sum(nodes), "silent": nodes.count(False)})


def _of_actor(actor: Mapping[str, Any]) -> Iterator[Sample]:
    name = actor["actor"]
    yield gauge(metrics.ACTOR_UP, float(actor["alive"]), name)
    if "pid" in actor:  # it has reported
        yield gauge(metrics.ACTOR_ENTITIES, actor["entities"], name)
        yield gauge(metrics.ACTOR_WAITING, actor["waiting"], name)
        yield gauge(metrics.CALLS_HUNG, actor["hung"], name)
        yield gauge(metrics.SNAPSHOT_FAILURES, actor["snapshot_failures"], name)
        yield from gauges(metrics.CALLS_WAITING, actor["waiting_for_thread"], name)


def _of_backend(name: str, backend: BackendFigures) -> Iterator[Sample]:
    yield gauge(metrics.BACKEND_UP, float(backend.is_up), name)
    report = backend.report
    if report is None:
        return
    yield gauge(metrics.BACKEND_PROBLEMS, len(report.problems), name)
    for pool in report.capabilities.pools if report.capabilities is not None else ():
        yield from _of_pool(name, pool)


def _of_pool(backend: str, pool: Pool) -> Iterator[Sample]:
    capacities = (
        (metrics.POOL_TOTAL, pool.total_capacity_gib),
        (metrics.POOL_FREE, pool.free_capacity_gib),
        (metrics.POOL_ALLOCATED, pool.allocated_capacity_gib),
    )
    for metric, gib in capacities:
        if not isinstance(gib, str):  # unknown or infinite
            yield gauge(metric, gib * GIB, backend, pool.name)


def _of_log(figures: Figures) -> Iterator[Sample]:
    as_of = figures.as_of
    yield gauge(metrics.LOG_EVENTS, as_of.head)
    yield gauge(metrics.LOG_BYTES, figures.log_bytes)
    yield gauge(metrics.CATALOG_LAG, max(0, as_of.head - as_of.applied))
    yield gauge(metrics.CATALOG_LAG_SECONDS, figures.lag_s)
    yield gauge(metrics.PARKED, figures.parked)
    if figures.disk_free is not None and figures.disk_size is not None:
        yield gauge(metrics.LOG_DISK_FREE, figures.disk_free)
        yield gauge(metrics.LOG_DISK_SIZE, figures.disk_size)
    for (backend, status), number in figures.shares.items():
        yield gauge(metrics.SHARES, number, backend, status)
