"""Recovery: shares that owe work are awake, whoever died. What is owed is in the log, so nothing is lost."""

from __future__ import annotations

import asyncio
import logging

from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.ports import CatalogPort, HostLost
from share_actors.errors import ShareActorsError

logger = logging.getLogger(__name__)
RETRY_S = 15.0
"""How often all that owes work is woken, for what no sign of trouble told of."""


class Recovery:
    """Asks the catalog which shares owe work and wakes those that live nowhere, so many *at_once*.

    `broken` holds the shares that owe work and can't be woken, with the reason: nobody waits for them.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        routes: Router,
        catalog: CatalogPort,
        at_once: int,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self._supervisor, self._router, self._catalog = supervisor, routes, catalog
        self._at_once, self._retry_s = at_once, retry_s
        self.broken: dict[str, str] = {}

    async def run(self) -> None:
        """Wake what owes work: what lives nowhere when a host died, and all of it now and then."""
        everyone = False
        while not self._supervisor.stopping:
            self._supervisor.host_lost.clear()
            try:
                well = await self._wake_owing(everyone=everyone)
            except Exception:  # whatever it is, what is owed must be woken
                logger.exception("recovery failed; it tries again")
                well = False
            if well:
                everyone = await self._supervisor.no_loss_within(self._retry_s)
            else:
                await asyncio.sleep(1.0)

    async def _wake_owing(self, *, everyone: bool) -> bool:
        """Wake every share that owes work, or only those that live nowhere; whether all could be asked."""
        marker, well, broken = "", True, dict[str, str]()
        while not self._supervisor.stopping:
            try:
                owing = await self._catalog.ask("owing", limit=self._at_once, marker=marker)
            except ShareActorsError as error:
                logger.warning("recovery waits for the catalog: %s", error)
                return False
            some = [i for i in owing if everyone or self._supervisor.directory.home(i) is None]
            well = await self._wake(some, broken) and well
            if len(owing) < self._at_once:
                break
            marker = owing[-1]
        self.broken = broken
        return well

    async def _wake(self, share_ids: list[str], broken: dict[str, str]) -> bool:
        """Wake these together, and note those that are *broken*; False if any is to be asked again soon."""
        at_home: dict[str, list[str]] = {}
        for share_id in share_ids:
            try:
                at_home.setdefault(await self._router.home(share_id), []).append(share_id)
            except ShareActorsError as error:
                broken[share_id] = error.message
        asked = [self._wake_there(host, ids, broken) for host, ids in at_home.items()]
        return all(await asyncio.gather(*asked))

    async def _wake_there(self, host: str, share_ids: list[str], broken: dict[str, str]) -> bool:
        try:
            said = await self._supervisor.hosts[host].wake(share_ids)
        except HostLost as lost:
            for share_id in share_ids:
                self._supervisor.forget_home(share_id, lost)
            return False
        self._supervisor.directory.forget(said)
        for share_id, why in said.items():
            if why and share_id not in self.broken:
                logger.warning("share %s could not be woken: %s", share_id, why)
        broken.update({share_id: why for share_id, why in said.items() if why})
        return all(said.values())  # the others only wait for room
