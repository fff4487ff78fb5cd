"""The backends of one process: each with its driver, made at first use, and the threads of its calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from share_actors.actors.effects.driver_setup import Hold, set_up_driver
from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.actors.effects.outcomes import writable
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.errors import ConfigError, ShareActorsError, Unavailable
from share_actors.events.phrases import not_configured
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)
SET_UP_CONTEXT = RequestContext(user_id="share-actors")


@dataclass(frozen=True, slots=True)
class BackendDriver:
    """A backend that is ready for calls: its settings, its driver and the driver's threads."""

    name: str
    settings: BackendSettings
    driver: ShareDriver
    threads: DriverThreads


class BackendDrivers:
    """Backends by name. Every process that hosts shares makes driver objects of its own."""

    def __init__(
        self, settings: Mapping[str, BackendSettings], hold: Hold = lambda _: None
    ) -> None:
        self.settings, self._hold = settings, hold
        self._ready: dict[str, BackendDriver] = {}

    def get(self, name: str) -> BackendDriver:
        """The backend *name*, set up at first use.

        Raises `ConfigError` if it is not configured, and `Unavailable` if its driver cannot be set
        up; the next call tries again.
        """
        backend = self._ready.get(name)
        if backend is None:
            backend = self._ready[name] = self._make(name)
        return backend

    def _make(self, name: str) -> BackendDriver:
        settings = self.settings.get(name)
        if settings is None:
            text = f"{not_configured(name)}; there are: {', '.join(self.settings)}"
            raise ConfigError(text, field="backend", value=name)
        try:
            driver = set_up_driver(name, settings, SET_UP_CONTEXT, self._hold)
        except ShareActorsError:
            raise
        except DriverError as error:
            raise _unavailable(name, str(error)) from error
        except Exception as error:
            logger.exception("backend %s: the driver's set-up raised", name)
            raise _unavailable(name, f"its driver raised {error!r}") from error
        loop = asyncio.get_running_loop()
        return BackendDriver(name, settings, driver, DriverThreads(loop, settings.threads, name))

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

    @property
    def hung(self) -> int:
        """Driver calls past their deadline whose threads are still stuck."""
        return sum(backend.threads.hung for backend in self._ready.values())

    def close(self) -> None:
        """Let the threads of all backends end."""
        for backend in self._ready.values():
            backend.threads.close()


def _unavailable(name: str, reason: str) -> Unavailable:
    text = f"backend {name!r} is not ready: {writable(reason)}"
    return Unavailable(text, field="backend", value=name)
