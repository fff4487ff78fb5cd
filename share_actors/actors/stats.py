"""StatsActor: one a backend. It sets the backend up, asks it for its statistics every period, and tells.

`init_host` and `publish_service_capabilities` of Manila's `ShareManager`, for one backend. A plain class;
`actors/runtime` makes it a Ray actor. It reports to the manager (scheduling), watchers, metrics and the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.actors.effects.outcomes import writable
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.scheduling.pool_stats import silence
from share_actors.config import BackendSettings, Config
from share_actors.drivers import share_stats
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.registry import make_driver
from share_actors.errors import ConfigError, Refused, ShareActorsError, Unavailable
from share_actors.events.backend import ReportSilence, ReportStats
from share_actors.events.decider import Command
from share_actors.values import BackendReport, RequestContext, Share, utc_now

logger = logging.getLogger(__name__)
WHO = RequestContext(user_id="share-actors", project_id="")
SOONER_S = 5.0
"""How soon a backend that failed is asked again, if the period is longer."""
THREADS = 4


class Listener(Protocol):
    """The manager, as it hears of backends."""

    async def publish(self, published: BackendReport, /) -> None: ...


class StatsActor:
    """What one backend says of itself, period after period."""

    def __init__(
        self,
        backend: str,
        config: Config,
        listener: Callable[[], Listener],
        entity_client: EntityClient,
        measure: Callable[[BackendReport], None] = lambda _: None,
    ) -> None:
        self._backend, self._config = backend, config
        self._listener, self._entity_client, self._measure = listener, entity_client, measure
        self._driver: ShareDriver | None = None
        self._threads: DriverThreads | None = None
        self._last: BackendReport | None = None
        self._wake = asyncio.Event()
        self._alone = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    @property
    def _settings(self) -> BackendSettings:
        return self._config.backends[self._backend]

    # -- what the manager asks -------------------------------------------------------------------
    async def follow(self) -> int:
        """Tell every period from now on; the id of this process."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._follow())
        return os.getpid()

    async def latest(self) -> BackendReport | None:
        """What was told last, for a manager that has not heard it."""
        return self._last

    async def publish_now(self) -> BackendReport:
        """Ask the backend now, and tell everybody."""
        async with self._alone:
            return await self._told()

    async def preview(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """What managing with these options would adopt; raises `Refused` with the driver's reason."""
        driver = await self._ready()
        call = partial(driver.preview_manage, share, driver_options)
        try:
            told = await self._ask(call, self._settings.timeout_s)
        except DriverError as error:
            raise Refused(writable(str(error)), field="driver_options") from None
        return dict(told)

    async def reconfigure(self, config: Config) -> None:
        """Set the backend up anew with this configuration, and tell."""
        changed = config.backends.get(self._backend) != self._settings
        self._config = config
        if changed:
            self._forget_driver()
        self._wake.set()

    async def stop(self) -> None:
        """Tell nothing more."""
        if self._loop is not None:
            self._loop.cancel()
        self._forget_driver()

    # -- the period ------------------------------------------------------------------------------
    async def _follow(self) -> None:
        while True:
            try:
                published = await self.publish_now()
                failed = published.reason is not None
            except Exception:  # whatever it is, the next period comes
                logger.exception("backend %s: its statistics could not be published", self._backend)
                failed = True
            period_s = self._config.scheduler.stats_period_s
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(period_s, SOONER_S) if failed else period_s):
                    await self._wake.wait()

    async def _told(self) -> BackendReport:
        published, info = await self._asked()
        self._last = published
        self._measure(published)
        try:
            await self._listener().publish(published)
        except Unavailable as error:
            logger.warning("backend %s: nobody hears: %s", self._backend, error)
        await self._record(published, info)
        return published

    async def _record(self, published: BackendReport, info: str | None) -> None:
        """As events, as far as something changed."""
        said = published.capabilities
        command: Command
        if published.reason is None and said is not None:
            command = ReportStats(
                backend=self._backend, capabilities=said, wrong=published.wrong, info=info
            )
        else:
            reason = published.reason or "it told nothing"
            command = ReportSilence(backend=self._backend, reason=reason)
        try:
            async with asyncio.timeout(self._settings.stats_timeout_s):
                await self._entity_client.tell(f"backend:{self._backend}", command, WHO)
        except (ShareActorsError, TimeoutError) as error:
            logger.warning("backend %s: not recorded: %s", self._backend, error)

    # -- asking the driver -----------------------------------------------------------------------
    async def _asked(self) -> tuple[BackendReport, str | None]:
        try:
            driver = await self._ready()
            limit_s = self._settings.stats_timeout_s
            said = await self._ask(partial(driver.get_share_stats, refresh=True), limit_s)
            info = await self._ask(partial(driver.get_backend_info, WHO), limit_s)
        except Exception as error:
            return silence(self._backend, self._why(error), self._last), None
        return self._read(said, driver), _digest(info)

    def _read(self, said: Any, driver: ShareDriver) -> BackendReport:
        told = share_stats.read(said, self._backend)
        if told.capabilities is None:
            return silence(self._backend, f"it told nonsense: {told.wrong['']}", self._last)
        mode = driver.driver_handles_share_servers
        known = told.capabilities.replace(driver_handles_share_servers=mode)
        if self._settings.availability_zone is not None:
            known = known.replace(availability_zone=self._settings.availability_zone)
        return BackendReport(
            backend=self._backend, at=utc_now(), capabilities=known, wrong=told.wrong
        )

    async def _ready(self) -> ShareDriver:
        """The driver, set up: tried again each time until it is."""
        if self._driver is None:
            self._driver = await self._ask(self._set_up, self._settings.timeout_s)
        return self._driver

    def _set_up(self) -> ShareDriver:
        settings = self._settings
        mode = settings.driver_handles_share_servers
        driver = make_driver(self._backend, settings.driver, settings.options, handles_servers=mode)
        driver.do_setup(WHO)
        driver.check_for_setup_error()
        return driver

    async def _ask(self, call: Callable[[], Any], limit_s: float) -> Any:
        loop = asyncio.get_running_loop()
        if self._threads is None:
            self._threads = DriverThreads(loop, THREADS, f"stats-{self._backend}")
        came: asyncio.Future[Any] = loop.create_future()
        self._threads.submit(call, limit_s, lambda r: None if came.done() else came.set_result(r))
        result = await came
        if isinstance(result, BaseException):
            raise result
        return result

    def _why(self, error: Exception) -> str:
        if isinstance(error, ConfigError):
            return error.message
        if isinstance(error, DriverError | TimeoutError):
            return writable(str(error) or type(error).__name__)
        logger.error("backend %s: its driver raised", self._backend, exc_info=error)
        return writable(f"its driver raised {error!r}")

    def _forget_driver(self) -> None:
        self._driver = None
        if self._threads is not None:
            self._threads.close()
            self._threads = None


def _digest(info: Any) -> str | None:
    """What stands for a backend's info: none of it is kept, for it may hold secrets."""
    if info is None:
        return None
    text = json.dumps(dict(info), sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
