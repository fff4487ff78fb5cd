"""A look at a backend from the node that it is to be moved to: whether its driver works there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from share_actors.actors.backend_queries import BackendQueries
from share_actors.actors.effects.driver_setup import Hold, attach
from share_actors.config import Config
from share_actors.drivers.abilities import RunsDaemons
from share_actors.drivers.base import ShareDriver, TransientError
from share_actors.values import SYSTEM_CONTEXT, Share


class BackendProbe(BackendQueries):
    """Sets the driver of one backend up in this process. It starts no daemons and reports nothing."""

    def __init__(self, backend: str, config: Config, hold: Hold = lambda _: None) -> None:
        super().__init__(backend, config, hold, stopped_mark=None)

    async def check(self, shares: Sequence[Share]) -> list[str]:
        """The ids of those of *shares* that the driver does not find here.

        Raises `Unavailable` with the driver's reason if its `check_for_setup_error` fails here. What takes
        daemons that are not started yet is not checked.
        """
        try:
            driver = await self._made_driver()
            await self._set_up(driver)
        except Exception as error:
            raise self._unavailable(self._failure_reason(error)) from None
        return [] if self._driver is None else await self.missing(shares)

    async def _set_up(self, driver: ShareDriver) -> None:
        set_up = partial(attach, driver, SYSTEM_CONTEXT, self._hold)
        try:
            await self._call_driver(set_up, self._settings.timeout_s)
        except TransientError:
            if not isinstance(driver, RunsDaemons):
                raise
        else:
            self._driver = driver

    async def end(self) -> None:
        """Give back what it has."""
        self._discard_driver()
