"""The backends of one process: each with its driver, made at first use, and the threads of its calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from share_actors.actors.effects.driver_setup import Hold, attach, made_driver
from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.actors.effects.outcomes import writable
from share_actors.config import BackendSettings
from share_actors.drivers.abilities import RunsDaemons
from share_actors.drivers.base import DriverError, ShareDriver, TransientError
from share_actors.errors import ConfigError, ShareActorsError, Unavailable
from share_actors.events.phrases import not_configured
from share_actors.values import SYSTEM_USER, RequestContext
from share_actors.values.waiting import WaitingForThread

logger = logging.getLogger(__name__)
SET_UP_CONTEXT = RequestContext(user_id=SYSTEM_USER)


@dataclass(frozen=True, slots=True)
class BackendDriver:
    """A backend that is ready for calls: its settings, its driver and the driver's threads."""

    name: str
    settings: BackendSettings
    driver: ShareDriver
    threads: DriverThreads


class NotStartedYet(Unavailable):
    """The backend cannot be set up before its daemons are started (`drivers.abilities.RunsDaemons`)."""


Found = Callable[[BackendDriver | ShareActorsError], None]
"""Gets a backend that is ready, or the error that `BackendDrivers.get` raises."""


class BackendDrivers:
    """Backends by name. Every process that hosts shares makes driver objects of its own, in threads."""

    def __init__(
        self, settings: Mapping[str, BackendSettings], hold: Hold = lambda _: None
    ) -> None:
        self.settings, self._hold = settings, hold
        self._ready: dict[str, BackendDriver] = {}
        self._setting_up: dict[str, asyncio.Future[None]] = {}
        self._failed: dict[str, ShareActorsError] = {}
        """Why the last set-up of a backend failed, if it did."""
        self._made: dict[str, ShareDriver] = {}
        """The drivers of backends that could not be set up because they are not started."""

    # -- set-up ----------------------------------------------------------------------------------
    def preparation(self, name: str) -> Awaitable[None] | None:
        """What returns once *name* was set up or failed to be; None if it is ready or not configured."""
        if name in self._ready or name not in self.settings:
            return None
        if name not in self._setting_up:
            self._setting_up[name] = self._start_set_up(name, self.settings[name])
        return asyncio.shield(self._setting_up[name])

    def _start_set_up(self, name: str, settings: BackendSettings) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        threads = DriverThreads(loop, 1, name)

        def done(result: Any) -> None:
            if self._setting_up.get(name) is ended:  # else its settings changed meanwhile
                del self._setting_up[name]
                if isinstance(result, ShareDriver):
                    threads.limit = settings.threads or result.calls_at_once
                self._keep(BackendDriver(name, settings, result, threads), name, result)
            if name not in self._ready or self._ready[name].threads is not threads:
                threads.close()
            if not ended.done():
                ended.set_result(None)

        threads.submit(partial(self._set_up, name, settings), settings.timeout_s, done)
        return ended

    def _set_up(self, name: str, settings: BackendSettings) -> ShareDriver | _NotAttached:
        driver = made_driver(name, settings, self._hold)
        try:
            attach(driver, SET_UP_CONTEXT, self._hold)
        except TransientError as error:
            if not isinstance(driver, RunsDaemons):
                raise
            return _NotAttached(driver, str(error))
        return driver

    def _keep(self, backend: BackendDriver, name: str, result: Any) -> None:
        """Keep the *result* of a set-up: *backend* with its driver, or why there is none."""
        self._failed.pop(name, None)
        self._made.pop(name, None)
        if isinstance(result, _NotAttached):
            self._made[name] = result.driver
            self._failed[name] = NotStartedYet(
                _not_ready(name, result.reason), field="backend", value=name
            )
        elif isinstance(result, BaseException):
            self._failed[name] = _error_of(name, result)
        else:
            self._ready[name] = backend

    # -- use -------------------------------------------------------------------------------------
    def get(self, name: str) -> BackendDriver:
        """The backend *name*, once it was prepared.

        Raises `ConfigError` if it is not configured, and `Unavailable` if its driver could not be set
        up; the next preparation tries again.
        """
        if (backend := self._ready.get(name)) is not None:
            return backend
        if name not in self.settings:
            text = f"{not_configured(name)}; there are: {', '.join(self.settings)}"
            raise ConfigError(text, field="backend", value=name)
        raise self._failed.get(name) or Unavailable(
            _not_ready(name, "it is being set up"), field="backend", value=name
        )

    def driver(self, name: str) -> ShareDriver:
        """The driver of the backend *name*, for what it can do: perhaps not started. Raises as `get` does."""
        made = self._made.get(name)
        return made if made is not None and name not in self._ready else self.get(name).driver

    def when_ready(self, name: str, found: Found) -> None:
        """Call *found* with the backend *name* or why it is not ready: at once, or after its set-up."""
        preparation = self.preparation(name)
        if preparation is None:
            found(self._get(name))
        else:
            asyncio.ensure_future(preparation).add_done_callback(lambda _: found(self._get(name)))

    def _get(self, name: str) -> BackendDriver | ShareActorsError:
        try:
            return self.get(name)
        except ShareActorsError as error:
            return error

    def public_details(self, name: str) -> frozenset[str]:
        """The details of share servers that the driver of the backend *name* declares public."""
        backend = self._ready.get(name)
        return frozenset() if backend is None else backend.driver.public_details

    def reconfigure(self, settings: Mapping[str, BackendSettings]) -> None:
        """Use these settings; a backend whose settings did not change keeps its driver.

        Calls to the replaced drivers go on to their end.
        """
        previous, self.settings = self.settings, settings
        for name in [n for n in self._ready if previous.get(n) != settings.get(n)]:
            self._ready.pop(name).threads.close()
        for known in (self._setting_up, self._failed, self._made):
            for name in [n for n in known if previous.get(n) != settings.get(n)]:
                del known[name]

    @property
    def hung(self) -> int:
        """Driver calls past their deadline whose threads are still stuck."""
        return sum(backend.threads.hung for backend in self._ready.values())

    @property
    def waiting(self) -> dict[str, int]:
        """Driver calls that wait for a thread, by backend; those of one never wait for another's."""
        lines = {name: backend.threads.waiting for name, backend in self._ready.items()}
        return {name: calls for name, calls in lines.items() if calls}

    def place_in_line(self, entity_id: str) -> WaitingForThread | None:
        """Where the driver call of an entity waits for a thread; None if none does."""
        for name, backend in self._ready.items():
            threads = backend.threads
            if (place := threads.place(entity_id)) is not None:
                waiting = max(place, threads.waiting)
                return WaitingForThread(
                    backend=name, place=place, waiting=waiting, threads=threads.limit
                )
        return None

    def withdraw(self) -> None:
        """Begin no further driver call: those that wait for a thread get `NotBegun`."""
        for backend in self._ready.values():
            backend.threads.withdraw()

    def close(self) -> None:
        """Let the threads of all backends end."""
        for backend in self._ready.values():
            backend.threads.close()


class _NotAttached(NamedTuple):
    """A driver whose backend is not started."""

    driver: ShareDriver
    reason: str


def _error_of(name: str, error: BaseException) -> ShareActorsError:
    """The error that says why the backend *name* is not ready."""
    if isinstance(error, ShareActorsError):
        return error
    if isinstance(error, DriverError | TimeoutError):
        reason = str(error) or type(error).__name__
    else:
        logger.error("backend %s: the driver's set-up raised", name, exc_info=error)
        reason = f"its driver raised {error!r}"
    return Unavailable(_not_ready(name, reason), field="backend", value=name)


def _not_ready(name: str, reason: str) -> str:
    return f"backend {name!r} is not ready: {writable(reason)}"
