"""StatsActor: one per backend. Sets the backend up, reads its statistics every period and publishes them.

Manila's `init_host` and `publish_service_capabilities`, for one backend. A plain class; `actors/runtime`
makes it a Ray actor. Reports go to the manager (for scheduling and metrics), to watchers and to the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from share_actors.actors.backend_queries import BackendQueries
from share_actors.actors.daemons import StoppedMark
from share_actors.actors.effects.driver_setup import Hold
from share_actors.actors.info_digest import digest
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.scheduling.pool_stats import silent_report
from share_actors.config import Config
from share_actors.drivers import share_stats
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.errors import ShareActorsError, Unavailable
from share_actors.events.backend import ReportSilence, ReportStats
from share_actors.events.decider import Command
from share_actors.values import SYSTEM_CONTEXT, BackendReport, Capabilities, RoomTaken, utc_now
from share_actors.versions import OWN

logger = logging.getLogger(__name__)
RETRY_S = 5.0
"""How soon a backend that failed is read again, if the period is longer."""
BEGIN_S = 5.0
"""How long a measurement waits for the manager to say what shares take."""


class Listener(Protocol):
    """The manager, which receives the reports; raises `Unavailable` if there is none."""

    async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
        """What shares take of *backend* now; the report of the measurement that begins has it."""

    async def publish(self, published: BackendReport, /) -> None:
        """Receive a backend's report."""


class StatsActor(BackendQueries):
    """Reads the statistics of one backend, period after period."""

    def __init__(
        self,
        backend: str,
        config: Config,
        listener: Callable[[], Listener],
        entity_client: EntityClient,
        *,
        retry_s: float = RETRY_S,
        hold: Hold = lambda _: None,
        stopped_mark: StoppedMark | None = None,
    ) -> None:
        super().__init__(backend, config, hold, stopped_mark)
        self._listener, self._entity_client = listener, entity_client
        self._retry_s = retry_s
        self._latest: BackendReport | None = None
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    # -- requests of the manager -----------------------------------------------------------------
    async def follow(self) -> int:
        """Publish a report every period from now on; returns this process's id."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._follow())
        return os.getpid()

    async def latest(self) -> BackendReport | None:
        """The latest report, for a manager that has not received it; None before the first."""
        return self._latest

    async def publish_now(self) -> BackendReport:
        """Read the backend's statistics now, and publish the report."""
        async with self._reading:
            return await self._publish()

    # -- what serves the backend -----------------------------------------------------------------
    async def start_backend(self) -> BackendReport:
        """Start what serves the backend, also if it was stopped, and publish a report.

        Raises `Refused` for a driver that runs no daemons, `Unavailable` with the reason if it fails.
        """
        async with self._reading:
            driver = await self._made_or_unavailable()
            self._daemons.release(driver)
            try:
                await self._daemons.start(driver)
            except DriverError as error:
                raise self._unavailable(self._failure_reason(error)) from None
            return await self._publish()

    async def stop_backend(self, user: str) -> BackendReport:
        """Stop what serves the backend, on behalf of *user*, and publish a report; it stays stopped.

        Raises as `start_backend` does, and `Unavailable` with the driver's reason if it could not be
        stopped; it is not started again then either.
        """
        async with self._reading:
            driver = await self._made_or_unavailable()
            try:
                await self._daemons.stop(driver, user)
            except ShareActorsError:
                raise
            except Exception as error:
                raise self._failed(f"could not be stopped: {self._failure_reason(error)}") from None
            return await self._publish()

    async def reconfigure(self, config: Config) -> None:
        """Continue with *config*: set the backend up again if its settings changed, and publish a report."""
        changed = config.backends.get(self._backend) != self._settings
        self._config = config
        if changed:
            self._discard_driver()
        self._wake.set()

    async def leave(self) -> None:
        """Stop what serves the backend here, and publishing: it is to be started on another node."""
        if self._loop is not None:
            self._loop.cancel()
        async with self._reading:
            if self._driver is not None:
                try:
                    await self._daemons.leave(self._driver)
                except Exception as error:
                    what = f"could not be stopped: {self._failure_reason(error)}"
                    raise self._failed(what) from None
        await self.stop()

    async def versions(self) -> dict[str, Any]:
        """The versions of this process, see `Versions.told`."""
        return OWN.told()

    async def node(self) -> str:
        """The id of the node that it runs on; empty if there is no cluster."""
        return ""

    async def stop(self) -> None:
        """Stop publishing."""
        if self._loop is not None:
            self._loop.cancel()
        self._discard_driver()

    # -- the period ------------------------------------------------------------------------------
    async def _follow(self) -> None:
        while True:
            self._wake.clear()  # first, so that a configuration that arrives from here on is not missed
            try:
                report = await self.publish_now()
                failed = report.reason is not None or bool(report.problems)
            except Exception:  # any bug: continue with the next period
                logger.exception("backend %s: its statistics could not be published", self._backend)
                failed = True
            period_s = self._config.scheduler.stats_period_s
            with suppress(TimeoutError):
                async with asyncio.timeout(min(period_s, self._retry_s) if failed else period_s):
                    await self._wake.wait()

    async def _publish(self) -> BackendReport:
        began = await self._begin()
        report, info_digest = await self._read_backend()
        if report.reason is None:  # else it has the earlier measurement
            report = report.replace(began=began)
        self._latest = report
        try:
            await self._listener().publish(report)
        except Unavailable as error:
            logger.warning("backend %s: no manager to publish to: %s", self._backend, error)
        await self._record(report, info_digest)
        return report

    async def _begin(self) -> dict[str, RoomTaken] | None:
        """What shares take of the backend now; None if the manager cannot say."""
        try:
            async with asyncio.timeout(BEGIN_S):
                return await self._listener().begin_measurement(self._backend)
        except (ShareActorsError, TimeoutError) as error:
            logger.warning(
                "backend %s: what shares take of it is not known: %s", self._backend, error
            )
            return None

    async def _record(self, report: BackendReport, info_digest: str | None) -> None:
        """Send the report to the backend's entity, which records what changed."""
        try:
            async with asyncio.timeout(self._settings.stats_timeout_s):
                await self._entity_client.tell(
                    f"backend:{self._backend}", _command(report, info_digest), SYSTEM_CONTEXT
                )
        except (ShareActorsError, TimeoutError) as error:
            logger.warning("backend %s: not recorded: %s", self._backend, error)

    # -- the driver ------------------------------------------------------------------------------
    async def _read_backend(self) -> tuple[BackendReport, str | None]:
        """The report, and a digest of the backend's info."""
        try:
            driver = await self._ready_driver()
            problems = await self._daemons.tend(driver)
            limit_s = self._settings.stats_timeout_s
            stats = await self._call_driver(partial(driver.get_share_stats, refresh=True), limit_s)
            info = await self._call_driver(
                partial(driver.get_backend_info, SYSTEM_CONTEXT), limit_s
            )
            info_digest = digest(info)
        except Exception as error:
            return silent_report(self._backend, self._failure_reason(error), self._latest), None
        return self._report(stats, driver).replace(problems=problems), info_digest

    def _report(self, stats: Any, driver: ShareDriver) -> BackendReport:
        parsed = share_stats.read(stats, self._backend, share_stats.class_capabilities(driver))
        if parsed.capabilities is None:
            reason = f"invalid statistics: {parsed.wrong['']}"
            return silent_report(self._backend, reason, self._latest)
        return BackendReport(
            backend=self._backend,
            at=utc_now(),
            capabilities=self._with_settings(parsed.capabilities, driver),
            wrong=parsed.wrong,
        )

    def _with_settings(self, capabilities: Capabilities, driver: ShareDriver) -> Capabilities:
        """*capabilities* with what the configuration determines, rather than the driver."""
        mode = driver.driver_handles_share_servers
        zone = self._settings.availability_zone
        capabilities = capabilities.replace(driver_handles_share_servers=mode)
        return capabilities if zone is None else capabilities.replace(availability_zone=zone)


def _command(report: BackendReport, info_digest: str | None) -> Command:
    """The command that records *report*."""
    if report.reason is not None or report.capabilities is None:
        reason = report.reason or "no statistics reported"
        return ReportSilence(backend=report.backend, reason=reason)
    return ReportStats(
        backend=report.backend,
        capabilities=report.capabilities,
        wrong=report.wrong,
        problems=report.problems,
        info=info_digest,
    )
