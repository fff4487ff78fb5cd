"""Recovery: shares that owe work are awake, whoever died. What is owed is in the log, so nothing is lost."""

from __future__ import annotations

import asyncio
import logging

from share_actors.actors.fleet import Fleet
from share_actors.actors.ports import CatalogPort, HostLost
from share_actors.actors.routes import Routes
from share_actors.errors import ShareActorsError

logger = logging.getLogger(__name__)
WAKE_AT_ONCE = 50
WAKE_AGAIN_S = 15.0
"""How often all that owes work is woken, for what no sign of trouble told of."""


class Recovery:
    """Asks the catalog which shares owe work and wakes those that live nowhere."""

    def __init__(self, fleet: Fleet, routes: Routes, catalog: CatalogPort) -> None:
        self._fleet, self._routes, self._catalog = fleet, routes, catalog

    async def run(self) -> None:
        """Wake what owes work: what lives nowhere when a host died, and all of it now and then."""
        everyone = False
        while not self._fleet.stopping:
            self._fleet.bereaved.clear()
            if await self._wake_owing(everyone=everyone):
                everyone = await self._fleet.calm(WAKE_AGAIN_S)
            else:
                await asyncio.sleep(1.0)

    async def _wake_owing(self, *, everyone: bool) -> bool:
        """Wake every share that owes work, or only those that live nowhere; whether all could be."""
        marker, well = "", True
        while not self._fleet.stopping:
            try:
                owing = await self._catalog.ask("owing", limit=WAKE_AT_ONCE, marker=marker)
            except ShareActorsError as error:
                logger.warning("recovery waits for the catalog: %s", error)
                return False
            for share_id in owing:
                if everyone or self._fleet.pool.home(share_id) is None:
                    well = await self._wake(share_id) and well
            if len(owing) < WAKE_AT_ONCE:
                break
            marker = owing[-1]
        return well

    async def _wake(self, share_id: str) -> bool:
        try:
            host = await self._routes.home(share_id)
            await self._fleet.hosts[host].wake([share_id])
        except HostLost as lost:
            self._fleet.unsettle(share_id, lost)
            return False
        except ShareActorsError as error:
            logger.warning("share %s could not be woken: %s", share_id, error)
            self._fleet.pool.forget([share_id])
            return False
        return True
