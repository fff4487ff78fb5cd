"""The backends of one process: each with its driver, made when first needed, and its threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from share_actors.actors.effects.driver_threads import DriverThreads
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.registry import make_driver
from share_actors.errors import ConfigError, ShareActorsError, Unavailable
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackendDriver:
    """A backend, ready for calls."""

    name: str
    settings: BackendSettings
    driver: ShareDriver
    threads: DriverThreads


class BackendDrivers:
    """Backends by name. Every process that hosts shares builds its own driver objects."""

    def __init__(self, settings: Mapping[str, BackendSettings]) -> None:
        self.settings = settings
        self._ready: dict[str, BackendDriver] = {}

    def get(self, name: str) -> BackendDriver:
        """The backend *name*.

        Raises `ConfigError` if the configuration has none, and `Unavailable` if its driver says that
        it can't work as configured; it is asked again next time.
        """
        ready = self._ready.get(name)
        if ready is None:
            ready = self._ready[name] = self._make(name)
        return ready

    def _make(self, name: str) -> BackendDriver:
        settings = self.settings.get(name)
        if settings is None:
            raise ConfigError(
                f"backend {name!r} is not configured; there are: {', '.join(self.settings)}",
                field="backend", value=name,
            )  # fmt: skip
        try:
            mode = settings.driver_handles_share_servers
            driver = make_driver(name, settings.driver, settings.options, handles_servers=mode)
            driver.do_setup(RequestContext(user_id="share-actors"))
            driver.check_for_setup_error()
        except ShareActorsError:
            raise
        except DriverError as error:
            raise _not_ready(name, str(error)) from error
        except Exception as error:
            logger.exception("backend %s: the driver's set-up raised", name)
            raise _not_ready(name, f"its driver raised {error!r}") from error
        loop = asyncio.get_running_loop()
        return BackendDriver(name, settings, driver, DriverThreads(loop, settings.threads, name))

    def reconfigure(self, settings: Mapping[str, BackendSettings]) -> None:
        """Go on with these settings; what did not change keeps its driver, calls under way end."""
        before, self.settings = self.settings, settings
        for name in [n for n in self._ready if before.get(n) != settings.get(n)]:
            self._ready.pop(name).threads.close()

    @property
    def hung(self) -> int:
        """Driver calls past their deadline whose threads are stuck still."""
        return sum(backend.threads.hung for backend in self._ready.values())

    def close(self) -> None:
        for backend in self._ready.values():
            backend.threads.close()


def _not_ready(name: str, why: str) -> Unavailable:
    return Unavailable(f"backend {name!r} is not ready: {why}", field="backend", value=name)
