"""StatsActor: one per backend. Sets the backend up, reads its statistics every period and publishes them.

Manila's `init_host` and `publish_service_capabilities`, for one backend. A plain class; `actors/runtime`
makes it a Ray actor. Reports go to the manager (for scheduling), to watchers, to metrics and to the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from share_actors.actors.effects.driver_setup import Hold, set_up_driver
from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.actors.effects.outcomes import writable
from share_actors.actors.info_digest import digest
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.scheduling.pool_stats import silent_report
from share_actors.config import BackendSettings, Config
from share_actors.drivers import share_stats
from share_actors.drivers.abilities import BackendObject, ListsObjects
from share_actors.drivers.base import DriverError, NotSupported, ShareDriver, TransientError
from share_actors.errors import ConfigError, Refused, ShareActorsError, Unavailable
from share_actors.events.backend import ReportSilence, ReportStats
from share_actors.events.decider import Command
from share_actors.redaction import remember_secret, scrubbed
from share_actors.values import (
    BackendReport,
    Capabilities,
    RequestContext,
    RoomTaken,
    Share,
    Snapshot,
    utc_now,
)

logger = logging.getLogger(__name__)
SYSTEM_CONTEXT = RequestContext(user_id="share-actors", project_id="")
RETRY_S = 5.0
"""How soon a backend that failed is read again, if the period is longer."""
BEGIN_S = 5.0
"""How long a measurement waits for the manager to say what shares take."""
THREADS = 4


class Listener(Protocol):
    """The manager, which receives the reports; raises `Unavailable` if there is none."""

    async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
        """What shares take of *backend* now; the report of the measurement that begins has it."""

    async def publish(self, published: BackendReport, /) -> None:
        """Receive a backend's report."""


class StatsActor:
    """Reads the statistics of one backend, period after period."""

    def __init__(
        self,
        backend: str,
        config: Config,
        listener: Callable[[], Listener],
        entity_client: EntityClient,
        record_metrics: Callable[[BackendReport], None] = lambda _: None,
        *,
        retry_s: float = RETRY_S,
        hold: Hold = lambda _: None,
    ) -> None:
        self._backend, self._config = backend, config
        self._listener, self._entity_client = listener, entity_client
        self._record_metrics, self._retry_s, self._hold = record_metrics, retry_s, hold
        self._driver: ShareDriver | None = None
        self._threads: DriverThreads | None = None
        self._latest: BackendReport | None = None
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    @property
    def _settings(self) -> BackendSettings:
        return self._config.backends[self._backend]

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

    async def preview(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """What managing with these options would adopt; raises `Refused` with the driver's reason.

        Raises `Unavailable` if the backend is not ready or does not answer.
        """
        driver = await self._driver_or_unavailable()
        _remember_secrets(driver, driver_options)
        call = partial(driver.preview_manage, share, driver_options)
        try:
            return dict(await self._call_driver(call, self._settings.timeout_s))
        except DriverError as error:
            raise _cannot_be_managed(str(error)) from None
        except TimeoutError:
            raise self._unavailable("it did not answer in time") from None
        except Exception as error:
            logger.exception("backend %s: its driver raised", self._backend)
            raise _cannot_be_managed(f"its driver raised {error!r}") from None

    async def check_manage(self, item: Share | Snapshot, driver_options: Mapping[str, Any]) -> None:
        """Raise `Refused` with the driver's reason if *item* could never be managed with these options.

        What cannot be found out now is no reason.
        """
        try:
            driver = await self._ready_driver()
            _remember_secrets(driver, driver_options)
            snapshot = isinstance(item, Snapshot)
            check: Any = driver.check_manage_snapshot if snapshot else driver.check_manage
            call = partial(check, item, driver_options)
            await self._call_driver(call, self._settings.stats_timeout_s)
        except (TransientError, NotSupported, TimeoutError) as error:
            logger.info(
                "backend %s: what is to be managed is not checked: %r", self._backend, error
            )
        except DriverError as error:
            if self._driver is not None:  # else the backend is not ready
                raise _cannot_be_managed(str(error)) from None
        except Exception:
            logger.exception("backend %s: its driver raised", self._backend)

    async def _driver_or_unavailable(self) -> ShareDriver:
        try:
            return await self._ready_driver()
        except Exception as error:
            raise self._unavailable(self._failure_reason(error)) from None

    def _unavailable(self, reason: str) -> Unavailable:
        text = f"backend {self._backend!r} is not ready: {reason}"
        return Unavailable(text, field="backend", value=self._backend)

    async def missing(self, shares: Sequence[Share]) -> list[str]:
        """The ids of those of *shares* that the driver does not find; raises `Unavailable` if it fails."""
        return [share.id for share in shares if await self._is_missing(share)]

    async def objects(self) -> list[BackendObject]:
        """All shares and snapshots on the backend.

        Raises `Refused` if the driver cannot list them, and `Unavailable` if it fails.
        """
        driver = await self._driver_or_unavailable()
        try:
            if not isinstance(driver, ListsObjects):
                raise NotSupported(f"{type(driver).__name__} has no `list_backend`")
            call = partial(driver.list_backend, SYSTEM_CONTEXT)
            return list(await self._call_driver(call, self._settings.timeout_s))
        except NotSupported as error:
            text = f"what is on backend {self._backend!r} cannot be listed: {error}"
            raise Refused(text, field="backend", value=self._backend) from None
        except Exception as error:
            raise self._unavailable(self._failure_reason(error)) from None

    async def _is_missing(self, share: Share) -> bool:
        try:
            driver = await self._ready_driver()
            call = partial(driver.probe_share, SYSTEM_CONTEXT, share)
            probe = await self._call_driver(call, self._settings.timeout_s)
        except ShareActorsError:
            raise
        except Exception as error:
            text = f"backend {self._backend!r} cannot tell about share {share.id}"
            raise Unavailable(f"{text}: {self._failure_reason(error)}", field="backend") from None
        return probe is not None and probe.state == "absent"

    async def reconfigure(self, config: Config) -> None:
        """Continue with *config*: set the backend up again if its settings changed, and publish a report."""
        changed = config.backends.get(self._backend) != self._settings
        self._config = config
        if changed:
            self._discard_driver()
        self._wake.set()

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
                failed = report.reason is not None
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
        self._record_metrics(report)
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
            limit_s = self._settings.stats_timeout_s
            stats = await self._call_driver(partial(driver.get_share_stats, refresh=True), limit_s)
            info = await self._call_driver(
                partial(driver.get_backend_info, SYSTEM_CONTEXT), limit_s
            )
            info_digest = digest(info)
        except Exception as error:
            return silent_report(self._backend, self._failure_reason(error), self._latest), None
        return self._report(stats, driver), info_digest

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

    async def _ready_driver(self) -> ShareDriver:
        """The driver after its set-up, which is tried again at each call until it succeeds."""
        if self._driver is None:
            self._driver = await self._call_driver(self._set_up, self._settings.timeout_s)
        return self._driver

    def _set_up(self) -> ShareDriver:
        return set_up_driver(self._backend, self._settings, SYSTEM_CONTEXT, self._hold)

    async def _call_driver(self, call: Callable[[], Any], limit_s: float) -> Any:
        """The result of *call*, made in a thread; raises its error, or `TimeoutError` after *limit_s*."""
        loop = asyncio.get_running_loop()
        if self._threads is None:
            self._threads = DriverThreads(loop, THREADS, f"stats-{self._backend}")
        future: asyncio.Future[Any] = loop.create_future()
        self._threads.submit(
            call, limit_s, lambda result: None if future.done() else future.set_result(result)
        )
        result = await future
        if isinstance(result, BaseException):
            raise result
        return result

    def _failure_reason(self, error: Exception) -> str:
        if isinstance(error, ConfigError):
            return scrubbed(error.message)
        if isinstance(error, DriverError | TimeoutError):
            return writable(str(error) or type(error).__name__)
        logger.error("backend %s: its driver raised", self._backend, exc_info=error)
        return writable(f"its driver raised {error!r}")

    def _discard_driver(self) -> None:
        self._driver = None
        if self._threads is not None:
            self._threads.close()
            self._threads = None


def _remember_secrets(driver: ShareDriver, driver_options: Mapping[str, Any]) -> None:
    """Have the texts among *driver_options* masked in logs, unless the driver declares them public."""
    for name, value in driver_options.items():
        if name not in driver.public_manage_options and isinstance(value, str):
            remember_secret(value)


def _cannot_be_managed(reason: str) -> Refused:
    return Refused(writable(reason), field="driver_options")


def _command(report: BackendReport, info_digest: str | None) -> Command:
    """The command that records *report*."""
    if report.reason is not None or report.capabilities is None:
        reason = report.reason or "no statistics reported"
        return ReportSilence(backend=report.backend, reason=reason)
    return ReportStats(
        backend=report.backend,
        capabilities=report.capabilities,
        wrong=report.wrong,
        info=info_digest,
    )
