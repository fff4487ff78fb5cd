"""What serves a backend: started, watched, started again and stopped by the backend's stats actor alone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

from share_actors.actors.effects.outcomes import pause_s, writable
from share_actors.config import BackendSettings
from share_actors.drivers.abilities import NotStarted, RunsDaemons
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.errors import Refused
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)
CallDriver = Callable[[Callable[[], Any], float], Awaitable[Any]]
"""Makes a call in a thread, with a time limit in seconds; raises its error, or `TimeoutError`."""


class StoppedMark(Protocol):
    """Who stopped a backend, kept until it or the system is started again; None if it is not stopped."""

    def read(self) -> str | None:
        """The name of who stopped it."""

    def write(self, user: str | None) -> None:
        """Keep the *user* who stopped it; None if it is not stopped."""


class MarkInMemory:
    """A `StoppedMark` that lasts as long as its process."""

    def __init__(self) -> None:
        self._user: str | None = None

    def read(self) -> str | None:
        """The name of who stopped it."""
        return self._user

    def write(self, user: str | None) -> None:
        """Keep the *user* who stopped it; None if it is not stopped."""
        self._user = user


class Daemons:
    """The daemons of one backend; a driver without the ability `RunsDaemons` has none."""

    def __init__(
        self,
        backend: str,
        settings: Callable[[], BackendSettings],
        call: CallDriver,
        mark: StoppedMark,
        context: RequestContext,
    ) -> None:
        self._backend, self._settings, self._call = backend, settings, call
        self._mark, self._context = mark, context
        self._changing = threading.Lock()
        self._failures, self._due, self._failure = 0, 0.0, ""

    async def start(self, driver: ShareDriver) -> None:
        """Start them, unless that failed a moment ago; raises `DriverError` or `TimeoutError` if it fails.

        After each failure the pause is twice as long, up to `max_backoff_s`. Raises `NotStarted` while the
        backend is stopped.
        """
        if not isinstance(driver, RunsDaemons):
            return
        self._check_not_stopped()
        if time.monotonic() < self._due:
            raise DriverError(self._failure)
        try:
            await self._change(partial(driver.start_backend, self._context))
        except Exception as error:
            self._postpone(f"it could not be started: {_text(error)}")
            raise DriverError(self._failure) from error
        self._failures, self._due = 0, 0.0

    async def tend(self, driver: ShareDriver) -> tuple[str, ...]:
        """What is wrong with them; if anything is, they are started again."""
        if not isinstance(driver, RunsDaemons):
            return ()
        self._check_not_stopped()
        problems = await self._problems(driver)
        if not problems:
            self._failures, self._due = 0, 0.0
            return ()
        logger.warning("backend %s is unhealthy: %s", self._backend, "; ".join(problems))
        return (*problems, *await self._restart(driver))

    async def _restart(self, driver: ShareDriver) -> tuple[str, ...]:
        """Start them again if that is due; why that failed."""
        if self._failures and time.monotonic() < self._due:
            return (self._failure,) if self._failure else ()
        try:
            await self.start(driver)
        except DriverError as error:
            return (_text(error),)
        # The next start comes after a pause if this one does not help.
        self._postpone("")
        return ()

    def _postpone(self, failure: str) -> None:
        self._failures += 1
        self._failure = failure
        self._due = time.monotonic() + pause_s(self._failures, self._settings())

    async def _problems(self, driver: RunsDaemons) -> tuple[str, ...]:
        try:
            found: Sequence[str] = await self._call(
                driver.check_health, self._settings().stats_timeout_s
            )
            return tuple(writable(str(problem)) for problem in found)
        except Exception as error:
            return (f"its health could not be checked: {_text(error)}",)

    async def stop(self, driver: ShareDriver, user: str) -> None:
        """Stop them on behalf of *user*; they stay stopped. Raises `Refused` for a driver without any."""
        able = self._able(driver)
        self._mark.write(user)  # first: a start that comes later is refused
        await self._change(partial(able.stop_backend, self._context))

    async def leave(self, driver: ShareDriver) -> None:
        """Stop them here, if there are any, because they are to be started on another node."""
        if isinstance(driver, RunsDaemons):
            await self._change(partial(driver.stop_backend, self._context))

    def release(self, driver: ShareDriver) -> None:
        """Let them be started again, at once; raises `Refused` for a driver without any."""
        self._able(driver)
        self._mark.write(None)
        self._failures, self._due = 0, 0.0

    def _able(self, driver: ShareDriver) -> RunsDaemons:
        if isinstance(driver, RunsDaemons):
            return driver
        text = f"backend {self._backend!r} has nothing to start or stop: its driver runs no daemons"
        raise Refused(text, field="backend", value=self._backend)

    def _check_not_stopped(self) -> None:
        if (user := self._mark.read()) is not None:
            raise NotStarted(
                f"{user} stopped it; `share-actors backend start {self._backend}` starts it again"
            )

    async def _change(self, call: Callable[[], None]) -> None:
        """Make *call* unless an earlier one, which passed its deadline, still goes on."""
        await self._call(partial(self._alone, call), self._settings().timeout_s)

    def _alone(self, call: Callable[[], None]) -> None:
        if not self._changing.acquire(blocking=False):
            raise DriverError("an earlier start or stop of it has not ended")
        try:
            call()
        finally:
            self._changing.release()


def _text(error: Exception) -> str:
    if isinstance(error, DriverError | TimeoutError):
        return writable(str(error) or type(error).__name__)
    return writable(f"its driver raised {error!r}")
