"""The driver of a backend in its stats actor: set up off the event loop, and asked about shares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from share_actors.actors.daemons import Daemons, MarkInMemory, StoppedMark
from share_actors.actors.effects.driver_setup import Hold, attach, made_driver
from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.actors.effects.outcomes import writable
from share_actors.config import BackendSettings, Config
from share_actors.drivers.abilities import (
    BackendObject,
    ListsObjects,
    MeasuresUsage,
    ReportsClients,
)
from share_actors.drivers.base import DriverError, NotSupported, ShareDriver, TransientError
from share_actors.errors import Refused, ShareActorsError, Unavailable
from share_actors.redaction import remember_secret, scrubbed
from share_actors.values import SYSTEM_CONTEXT, Share, ShareClient, Snapshot

logger = logging.getLogger(__name__)
THREADS = 4


class BackendQueries:
    """One backend, started by this process alone and set up here; its driver's answers about shares."""

    def __init__(
        self, backend: str, config: Config, hold: Hold, stopped_mark: StoppedMark | None
    ) -> None:
        self._backend, self._config, self._hold = backend, config, hold
        self._driver: ShareDriver | None = None
        self._threads: DriverThreads | None = None
        self._setting_up = asyncio.Lock()
        mark = stopped_mark or MarkInMemory()
        self._daemons = Daemons(
            backend, lambda: self._settings, self._call_driver, mark, SYSTEM_CONTEXT
        )

    @property
    def _settings(self) -> BackendSettings:
        return self._config.backends[self._backend]

    # -- what the backend has --------------------------------------------------------------------
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

    async def usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The bytes that each of *shares* uses, by id; without those that are not on the backend.

        Raises `Refused` for a driver that cannot measure it, `Unavailable` if it fails or takes too long.
        """
        driver = await self._driver_or_unavailable()
        if not isinstance(driver, MeasuresUsage):
            text = f"backend {self._backend!r} cannot tell how much of a share is used"
            raise Refused(text, field="backend", value=self._backend)
        call = partial(driver.get_share_usage, list(shares))
        try:
            used = await self._call_driver(call, self._settings.timeout_s)
            return {str(share_id): int(count) for share_id, count in used.items()}
        except Exception as error:
            raise self._failed(
                f"could not measure its shares: {self._failure_reason(error)}"
            ) from None

    async def clients(self, share: Share) -> list[ShareClient]:
        """Who is connected to *share* now.

        Raises `Refused` for a driver that cannot tell, `Unavailable` if it fails or takes too long.
        """
        driver = await self._driver_or_unavailable()
        if not isinstance(driver, ReportsClients):
            text = f"backend {self._backend!r} cannot tell who is connected to a share"
            raise Refused(text, field="backend", value=self._backend)
        call = partial(driver.get_share_clients, share)
        try:
            return list(await self._call_driver(call, self._settings.timeout_s))
        except Exception as error:
            raise self._failed(f"could not list clients: {self._failure_reason(error)}") from None

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

    # -- the driver ------------------------------------------------------------------------------
    async def _driver_or_unavailable(self) -> ShareDriver:
        try:
            return await self._ready_driver()
        except Exception as error:
            raise self._unavailable(self._failure_reason(error)) from None

    async def _made_or_unavailable(self) -> ShareDriver:
        try:
            return await self._made_driver()
        except Exception as error:
            raise self._unavailable(self._failure_reason(error)) from None

    def _unavailable(self, reason: str) -> Unavailable:
        return self._failed(f"is not ready: {reason}")

    def _failed(self, what: str) -> Unavailable:
        text = f"backend {self._backend!r} {what}"
        return Unavailable(text, field="backend", value=self._backend)

    async def _ready_driver(self) -> ShareDriver:
        """The driver after its start and set-up, which are tried again at each call until they succeed."""
        async with self._setting_up:
            if self._driver is None:
                driver = await self._made_driver()
                await self._daemons.start(driver)
                set_up = partial(attach, driver, SYSTEM_CONTEXT, self._hold)
                await self._call_driver(set_up, self._settings.timeout_s)
                self._driver = driver
            return self._driver

    async def _made_driver(self) -> ShareDriver:
        """The driver, perhaps not set up."""
        if self._driver is not None:
            return self._driver
        make = partial(made_driver, self._backend, self._settings, self._hold)
        driver: ShareDriver = await self._call_driver(make, self._settings.timeout_s)
        return driver

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
        if isinstance(error, ShareActorsError):
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
