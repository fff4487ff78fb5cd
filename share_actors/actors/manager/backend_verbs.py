"""The manager's verbs about backends: what they tell, setting them up, and going on with other settings."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.manager import reload
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.ports import Cluster, HostLost, Stats
from share_actors.actors.scheduling.pool_stats import BackendReports, StatsUpdate
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.config import Config
from share_actors.errors import ShareActorsError
from share_actors.values import BackendReport

logger = logging.getLogger(__name__)


class BackendVerbs:
    """`init_host` and `publish_service_capabilities`, and what goes with them."""

    _config: Config
    _cluster: Cluster
    _supervisor: Supervisor
    _router: Router
    _backend_reports: BackendReports
    _scheduler: Scheduler
    _periodic_tasks: PeriodicTasks
    _stats: dict[str, Stats]

    async def ready(self) -> None:
        """Return once commands can be routed."""
        raise NotImplementedError

    async def _begin_stats(self, backend: str) -> None:
        """Have the backend's stats actor tell; tried until it does."""
        while backend in self._config.backends and not self._supervisor.stopping:
            try:
                stats = self._stats[backend] = await self._cluster.stats(backend, self._config)
                await stats.follow()
                if (last := await stats.latest()) is not None:
                    await self.publish(last)
            except ShareActorsError as error:
                logger.warning("the stats actor of backend %s does not start: %s", backend, error)
                await asyncio.sleep(1.0)
            else:
                return

    def _how_is(self, name: str) -> dict[str, Any]:
        settings = self._config.backends[name]
        last = self._backend_reports.last(name)
        if last is None:
            return {"driver": settings.driver, "status": "starting", "reason": None, "at": None}
        why = last.reason or self._backend_reports.silent(name, settings)
        status = "up" if why is None else "down"
        return {
            "driver": settings.driver, "status": status, "reason": why, "at": last.at.isoformat(),
            "wrong": last.wrong,
        }  # fmt: skip

    async def publish(self, published: BackendReport) -> None:
        """A stats actor tells of its backend."""
        if published.backend in self._config.backends:
            self._backend_reports.publish(published)
            self._scheduler.measured(published.backend)

    async def capabilities(self) -> dict[str, BackendReport]:
        """The last publication of each backend; soon after the start, the first of each is waited for."""
        await self.ready()
        await self._scheduler.heard(self._config.backends)
        return self._backend_reports.all()

    async def watch(self, after: int, timeout_s: float) -> StatsUpdate:
        """What was published after number *after* (0: all), once something was, or *timeout_s* are over."""
        await self.ready()
        return await self._backend_reports.news(after, timeout_s)

    async def publish_service_capabilities(
        self, context: Any = None, backend: str | None = None
    ) -> dict[str, BackendReport]:
        """Have every backend, or this one, asked now; what each told, or why it told nothing."""
        await self.ready()
        names = [self._config.backend_name(backend)] if backend else list(self._config.backends)
        told = await asyncio.gather(*(self._told(name) for name in names))
        return dict(zip(names, told, strict=True))

    async def _told(self, backend: str) -> BackendReport:
        stats = await self._stats_of(backend)
        return await stats.publish_now()

    async def _stats_of(self, backend: str) -> Stats:
        if backend not in self._stats:
            self._stats[backend] = await self._cluster.stats(backend, self._config)
        return self._stats[backend]

    async def init_host(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Set every backend up, or this one, and publish what each tells (it happens at start by itself)."""
        return await self.publish_service_capabilities(None, backend)

    async def reload(self, config: Config) -> dict[str, list[str]]:
        """Go on with other backends and other settings of them; what did not change is left alone.

        Returns the names of backends that were `added`, `changed` and `removed`. Raises `ConfigError` if
        anything else differs, which takes a restart; nothing is changed then.
        """
        await self.ready()
        told = reload.difference(self._config, config)
        config = reload.with_its_key(self._config, config)
        await self._cluster.keep(config)
        self._config = self._periodic_tasks.config = config
        self._scheduler.reconfigure(config)
        self._router.reconfigure(config)
        for host in list(self._supervisor.hosts.values()):
            with suppress(HostLost):  # restarted, it begins with what is kept
                await host.reconfigure(config)
        for name in told["removed"]:
            self._backend_reports.forget(name)
            if (stats := self._stats.pop(name, None)) is not None:
                await stats.end()
        for name in told["changed"]:
            await (await self._stats_of(name)).reconfigure(config)
        for name in told["added"]:
            self._supervisor.spawn(self._begin_stats(name))
        return told
