"""The manager's verbs about backends: their reports, setting them up, and reloading the configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from share_actors.actors.effects.separation import check_apart
from share_actors.actors.hosting.evacuation import Evacuation
from share_actors.actors.hosting.node_records import NodeRecords
from share_actors.actors.hosting.nodes import is_of_ray
from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager import reload
from share_actors.actors.manager.middleware import Middleware
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.share_verbs import Context, context_of, permit
from share_actors.actors.manager.stats_actors import StatsActors
from share_actors.actors.messaging.parameters import instance, known_id, number, seconds, word
from share_actors.actors.ports import Cluster, HostLost, NodeState, Stats
from share_actors.actors.scheduling.pool_stats import BackendReports, StatsUpdate, silent_report
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.config import Config
from share_actors.drivers.abilities import BackendObject
from share_actors.errors import NotFound, Unavailable
from share_actors.values import BackendReport, RoomTaken, Share, ShareClient, ShareUsage

logger = logging.getLogger(__name__)
GIB = 1024**3
PAGE = 1000
READ_S = 10.0
"""How long a reload waits until what it pins backends to is recorded."""


class BackendVerbs:
    """`init_host` and `publish_service_capabilities`, capabilities and `reload`."""

    _config: Config
    _cluster: Cluster
    _supervisor: Supervisor
    _router: Router
    _backend_reports: BackendReports
    _scheduler: Scheduler
    _middleware: Middleware
    _periodic_tasks: PeriodicTasks
    _configured: Config
    _records: NodeRecords
    _evacuation: Evacuation
    _stats: StatsActors

    async def ready(self) -> None:
        """Return once commands can be routed."""
        raise NotImplementedError

    def _take_in_moves(self) -> None:
        """Make the configuration with all moves the one in force."""
        raise NotImplementedError

    async def _read_records(self) -> None:
        """Read what is recorded of nodes and moves, and record what the configuration says instead."""
        raise NotImplementedError

    async def _move_stats(self, backend: str, *, was_lost: bool) -> str | None:
        """Have *backend* report from where it is now."""
        raise NotImplementedError

    async def view(self, share_id: str, context: Context = None) -> Any:
        """The share, or the entity at that address, as *context* sees it."""
        raise NotImplementedError

    def _backend_status(self, name: str) -> dict[str, Any]:
        """One backend's part of `status`."""
        settings = self._config.backends[name]
        report = self._backend_reports.latest(name)
        absence = self._absence(name)
        place = {"node": settings.node, "configured_node": self._configured.backends[name].node}
        if report is None:
            starting = {"status": "starting", "reason": None, "at": None}
            return {"driver": settings.driver, **starting, **place}
        reason = absence or self._backend_reports.failure_reason(name, settings)
        return {
            "driver": settings.driver,
            "status": "up" if reason is None else "down",
            "reason": reason,
            "at": report.at.isoformat(),
            "wrong": report.wrong,
            "problems": list(report.problems),
            **place,
        }

    def _absence(self, backend: str) -> str | None:
        """Why no node that a backend is pinned to can be reached; None if one can."""
        return self._supervisor.nodes.absence(self._config.backends[backend].node)

    def _node_status(self, node: NodeState) -> dict[str, Any]:
        """A node's part of `status`: how long it has been silent, and what is on it."""
        backends = self._config.backends.items()
        needed = {settings.node for _, settings in backends}
        record = self._records.of(node)
        marks = {} if record is None else {"drained": record.drained, "forgotten": record.forgotten}
        return {
            **node._asdict(),
            "drained": None,
            "forgotten": None,
            **{name: mark and mark.model_dump(mode="json") for name, mark in marks.items()},
            "resources": [r for r in node.resources if r in needed or not is_of_ray(r)],
            "silent_s": self._supervisor.nodes.silent_s(node.id),
            "actors": self._supervisor.actors_on(node.id),
            "backends": [name for name, settings in backends if settings.node in node.resources],
        }

    async def publish(self, published: BackendReport) -> None:
        """Receive a report from a backend's stats actor."""
        published = instance("published", published, BackendReport)
        if published.backend in self._config.backends:
            await self._scheduler.rooms.publish(published)

    async def begin_measurement(self, backend: str) -> dict[str, RoomTaken]:
        """The capacity that shares take of *backend* before it is measured (`BackendReport.began`)."""
        return await self._scheduler.rooms.begin(backend)

    async def capabilities(self, context: Context = None) -> dict[str, BackendReport]:
        """The latest report of each backend; soon after the start, waits for the first of each."""
        permit("capabilities", context)
        await self.ready()
        await self._scheduler.wait_for_backends(self._config.backends)
        return self._backend_reports.all()

    async def watch(self, after: int, timeout_s: float, context: Context = None) -> StatsUpdate:
        """The reports published after number *after* (0: all); waits at most *timeout_s* for one."""
        permit("watch", context)
        after, timeout_s = number("after", after), seconds("timeout_s", timeout_s)
        await self.ready()
        return await self._backend_reports.wait_for_update(after, timeout_s)

    async def publish_service_capabilities(
        self, context: Context = None, backend: str | None = None
    ) -> dict[str, BackendReport]:
        """Read the statistics of every backend, or of *backend*, now; returns their reports by name."""
        permit("publish_service_capabilities", context)
        await self.ready()
        if backend is not None:
            name = self._config.backend_name(backend)
            return {name: await self._publish_now(name)}
        names = list(self._config.backends)
        reports = await asyncio.gather(*map(self._publish_if_reachable, names))
        return dict(zip(names, reports, strict=True))

    async def list_backend(self, context: Context, backend: str) -> list[BackendObject]:
        """All shares and snapshots that are on *backend*, whether the system knows them or not."""
        permit("list_backend", context)
        await self.ready()
        stats = await self._stats_of(self._config.backend_name(backend))
        return await stats.objects()

    async def _publish_if_reachable(self, backend: str) -> BackendReport:
        absence = self._absence(backend)
        if absence is not None:
            return silent_report(backend, absence, self._backend_reports.latest(backend))
        limit_s = self._config.backends[backend].timeout_s + self._config.hosting.unresponsive_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._publish_now(backend)
        except TimeoutError:
            silence = f"its stats actor has not answered for {limit_s:g} s"
        except Unavailable as error:
            silence = error.message
        return silent_report(backend, silence, self._backend_reports.latest(backend))

    async def _publish_now(self, backend: str) -> BackendReport:
        stats = await self._stats_of(backend)
        return await stats.publish_now()

    async def _stats_of(self, backend: str) -> Stats:
        return await self._stats.of(backend)

    async def init_host(
        self, backend: str | None = None, context: Context = None
    ) -> dict[str, BackendReport]:
        """Set up every backend, or *backend*, and return their reports; runs automatically at start."""
        return await self.publish_service_capabilities(context, backend)

    # -- what serves a backend -------------------------------------------------------------------
    async def start_backend(self, backend: str, context: Context = None) -> BackendReport:
        """Start what serves *backend*, after `stop_backend` or a failure; its report afterwards.

        Raises `Refused` if its driver runs no daemons, `Unavailable` with the reason if it cannot.
        """
        permit("start_backend", context)
        await self.ready()
        return await (await self._stats_of(self._known_backend(backend))).start_backend()

    async def stop_backend(self, backend: str, context: Context = None) -> BackendReport:
        """Stop what serves *backend*: its clients lose their shares; its report afterwards.

        It stays stopped until `start_backend` or the next start of the system. Raises as that does.
        """
        permit("stop_backend", context)
        await self.ready()
        user = context_of(context).user_id or "somebody"
        return await (await self._stats_of(self._known_backend(backend))).stop_backend(user)

    async def share_usage(self, share_id: str, context: Context = None) -> ShareUsage:
        """How much of a share is used, as its backend measures it now.

        Raises `Refused` if the driver cannot measure it, `Unavailable` if it fails or takes too long, and
        `NotFound` if the share is not on the backend.
        """
        permit("share_usage", context)
        share = await self.view(known_id("share", share_id), context)
        usage = await self._usage(share.backend, [share])
        if share_id not in usage:
            text = f"share {share_id} is not on backend {share.backend!r}"
            raise NotFound(text, field="share_id", value=share_id)
        return usage[share_id]

    async def share_clients(self, share_id: str, context: Context = None) -> list[ShareClient]:
        """Who is connected to a share now, as its backend knows.

        Raises `Refused` if the driver cannot tell, and `Unavailable` if it fails or takes too long.
        """
        permit("share_clients", context)
        share = await self.view(known_id("share", share_id), context)
        return await (await self._stats_of(self._known_backend(share.backend))).clients(share)

    async def backend_usage(self, backend: str, context: Context = None) -> dict[str, ShareUsage]:
        """The results of `share_usage` for all shares that are found on *backend*, by id."""
        permit("backend_usage", context)
        await self.ready()
        name = self._known_backend(backend)
        return await self._usage(name, await self._shares_on(name))

    def _known_backend(self, name: str) -> str:
        return self._config.backend_name(word("backend", name))

    async def _shares_on(self, backend: str) -> list[Share]:
        shares: list[Share] = []
        marker = None
        while True:
            query = {"backend": backend, "limit": PAGE, "marker": marker}
            page = await self._cluster.catalog.ask("shares", **query)
            shares += page.items
            if (marker := page.next_marker) is None:
                return shares

    async def _usage(self, backend: str, shares: Sequence[Share]) -> dict[str, ShareUsage]:
        used = await (await self._stats_of(self._known_backend(backend))).usage(shares)
        return {
            share.id: ShareUsage(used=used[share.id], size=share.size * GIB)
            for share in shares
            if share.id in used
        }

    # -- the configuration -----------------------------------------------------------------------
    async def reload(self, config: Config, context: Context = None) -> dict[str, list[str]]:
        """Continue with other backends and other settings of them; unchanged backends keep running.

        Returns the names of backends that were `added`, `changed` and `removed`. Raises `ConfigError`, and
        changes nothing, if anything else differs that only a restart can change, or if two backends would
        use the same directory, device, port or names.
        """
        permit("reload", context)
        config = instance("config", config, Config)
        await self.ready()
        difference = reload.difference(self._configured, config)
        await asyncio.to_thread(check_apart, config.backends)
        config = reload.with_current_key(self._configured, config)
        await self._cluster.save_config(config)
        with suppress(Unavailable):  # what the log says of moves is not lost, and taken in later
            await self._records.known(READ_S)
        former = await self._apply(config)
        await self._record_pins()
        for name in difference["removed"]:
            self._backend_reports.forget(name)
            await self._stats.end(name)
        for name in difference["added"]:
            self._stats.start(name)
        for name in former:
            await self._move_stats(name, was_lost=self._is_absent(former[name]))
        changed = set(difference["changed"]) - former.keys()
        await asyncio.gather(*(self._reconfigure_stats(name, config) for name in changed))
        return difference

    async def _reconfigure_stats(self, backend: str, config: Config) -> None:
        """Have the stats actor of *backend* use *config*; a silent one is started again, and loads it."""
        if self._absence(backend) is not None:  # it loads it when it is restarted
            return
        stats = await self._stats_of(backend)
        try:
            await self._supervisor.answer(stats.reconfigure(config))
        except TimeoutError:
            await self._move_stats(backend, was_lost=True)

    async def _apply(self, config: Config) -> dict[str, str | None]:
        """Make *config* that of the manager and of every host; the former nodes of moved backends."""
        before = {name: settings.node for name, settings in self._config.backends.items()}
        self._configured, self._records.is_outdated = config, True
        self._take_in_moves()
        self._scheduler.reconfigure(self._config)
        now = self._config.backends
        former = {n: node for n, node in before.items() if n in now and now[n].node != node}
        self._evacuation.replace_hosts_on(former.values())
        self._evacuation.look()  # before their shares are ensured, which has to be where they are now
        self._middleware.admission.reconfigure(self._config.quotas)
        for name, host in list(self._supervisor.hosts.items()):
            if not self._supervisor.is_on_lost_node(name):
                with suppress(
                    HostLost, TimeoutError
                ):  # restarted, it loads the saved configuration
                    await self._supervisor.answer(host.reconfigure(config))
        return former

    async def _record_pins(self) -> None:
        """Have recorded what the configuration pins backends to now; `NodeVerbs` repeats it if that fails."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_S):
                await self._read_records()

    def _is_absent(self, node: str | None) -> bool:
        return self._supervisor.nodes.absence(node) is not None
