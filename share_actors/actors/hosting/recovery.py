"""Recovery: it activates all entities with pending work, as the log has it, after a process has died."""

from __future__ import annotations

import asyncio
import logging

from share_actors.actors.hosting.router import Router
from share_actors.actors.hosting.supervisor import Supervisor
from share_actors.actors.ports import CatalogPort, HostLost
from share_actors.errors import ShareActorsError

logger = logging.getLogger(__name__)
RETRY_S = 15.0
"""How often all entities with pending work are activated, for losses that nothing reported."""
FAILURE_PAUSE_S = 1.0
"""How soon recovery is repeated when it did not reach every entity with pending work."""


class Recovery:
    """Activates entities with pending work, as the catalog lists them, in batches of *batch_size*.

    `broken` holds the entities with pending work that can't be activated, with the reasons.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        router: Router,
        catalog: CatalogPort,
        batch_size: int,
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self._supervisor, self._router, self._catalog = supervisor, router, catalog
        self._batch_size, self._retry_s = batch_size, retry_s
        self.broken: dict[str, str] = {}

    async def run(self) -> None:
        """Activate what has pending work: without a home after a loss, and all of it now and then."""
        include_homed = False
        while not self._supervisor.stopping:
            self._supervisor.host_lost.clear()
            try:
                complete = await self._wake_pending(include_homed=include_homed)
            except Exception:  # whatever it is, recovery must go on
                logger.exception("recovery failed; it tries again")
                complete = False
            if complete:
                include_homed = await self._supervisor.no_loss_within(self._retry_s)
            else:
                await asyncio.sleep(FAILURE_PAUSE_S)

    async def _wake_pending(self, *, include_homed: bool) -> bool:
        """Activate entities with pending work, all of them or those without a home.

        Returns False if some could not be reached and must be tried again soon.
        """
        marker, complete, broken = "", True, dict[str, str]()
        directory = self._supervisor.directory
        while not self._supervisor.stopping:
            try:
                page = await self._catalog.ask("owing", limit=self._batch_size, marker=marker)
            except ShareActorsError as error:
                logger.warning("recovery waits for the catalog: %s", error)
                return False
            batch = [id_ for id_ in page if include_homed or directory.home(id_) is None]
            complete = await self._wake(batch, broken) and complete
            if len(page) < self._batch_size:
                break
            marker = page[-1]
        self.broken = broken
        return complete

    async def _wake(self, entity_ids: list[str], broken: dict[str, str]) -> bool:
        """Activate a batch, adding to *broken*; False if some must be tried again soon."""
        ids_by_host: dict[str, list[str]] = {}
        for entity_id in entity_ids:
            try:
                host = await self._router.home(entity_id)
                ids_by_host.setdefault(host, []).append(entity_id)
            except ShareActorsError as error:
                broken[entity_id] = error.message
        calls = [self._wake_in(host, ids, broken) for host, ids in ids_by_host.items()]
        return all(await asyncio.gather(*calls))

    async def _wake_in(self, host: str, entity_ids: list[str], broken: dict[str, str]) -> bool:
        called, may_move = self._supervisor.hosts.get(host), False
        if called is None:  # it has left its node meanwhile
            return False
        try:
            until_lost = self._supervisor.losses.until_lost
            reasons = await until_lost(host, called.wake(entity_ids))
            if any(reasons.values()):
                may_move = await until_lost(host, self._supervisor.upgrades.ask(host, called))
        except HostLost as lost:
            for entity_id in entity_ids:
                self._supervisor.forget_home(entity_id, lost)
            return False
        self._supervisor.directory.forget(reasons)
        for entity_id, reason in reasons.items():
            if reason and entity_id not in self.broken:
                logger.warning("share %s could not be woken: %s", entity_id, reason)
        broken.update({entity_id: reason for entity_id, reason in reasons.items() if reason})
        return all(reasons.values()) and not may_move  # the others only wait for room
