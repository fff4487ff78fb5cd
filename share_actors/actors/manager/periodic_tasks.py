"""What the manager sees to by itself: silent backends, unused share servers, exports that are out of date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.pool_stats import BackendReports, silence
from share_actors.config import Config
from share_actors.errors import NotFound, OperationFailed, Refused, ShareActorsError
from share_actors.events.backend import ConfirmShares, ReportSilence
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share_server import DeleteServer, DetachShare
from share_actors.values import BackendState, RequestContext, Share, ShareServer, utc_now

logger = logging.getLogger(__name__)
WHO = RequestContext(user_id="share-actors", project_id="")
PAGE = 500
AT_ONCE = 20
ENSURE_CHECK_S = 2.0
SILENCE_CHECK_S = 1.0


class PeriodicTasks:
    """Loops of the manager; each survives whatever one round of it meets."""

    def __init__(
        self,
        config: Config,
        catalog: CatalogPort,
        entity_client: EntityClient,
        backend_reports: BackendReports,
    ) -> None:
        self.config = config
        self._catalog, self._entity_client, self._backend_reports = (
            catalog,
            entity_client,
            backend_reports,
        )

    async def run(self) -> None:
        """All of it, for as long as the manager lives."""
        await asyncio.gather(
            self._every(lambda: SILENCE_CHECK_S, self._note_silence, "noting silent backends"),
            self._every(
                lambda: self.config.servers.check_every_s, self.delete_free, "share servers"
            ),
            self._every(lambda: ENSURE_CHECK_S, self._ensure_all, "ensuring shares"),
        )

    async def _every(
        self, pause_s: Callable[[], float], job: Callable[[], Awaitable[Any]], what: str
    ) -> None:
        while True:
            await asyncio.sleep(pause_s())
            try:
                await job()
            except ShareActorsError as error:
                logger.warning("%s: %s", what, error)
            except Exception:  # whatever it is, the next round comes
                logger.exception("%s failed; it is tried again", what)

    # -- backends --------------------------------------------------------------------------------
    async def _note_silence(self) -> None:
        """A stats actor that tells nothing is not there, or hangs: the log shall tell that."""
        for name, settings in self.config.backends.items():
            why = self._backend_reports.silent(name, settings)
            last = self._backend_reports.last(name)
            if why is not None and last is not None and last.reason is None:
                self._backend_reports.publish(silence(name, why, last))
                await self._entity_client.tell(
                    f"backend:{name}", ReportSilence(backend=name, reason="it tells nothing"), WHO
                )

    # -- share servers ---------------------------------------------------------------------------
    async def delete_free(self) -> list[str]:
        """Have servers deleted that nobody has used for long; their ids.

        The server itself decides: one to which a share came meanwhile stays.
        """
        if not self.config.servers.delete_free:
            return []
        before = utc_now() - timedelta(minutes=self.config.servers.unused_minutes)
        going = []
        for server in await self._all("share_server", "active"):
            await self._empty_of_strays(server)
            if server.unused_since is not None and server.unused_since <= before:
                asked = DeleteServer(why="unused", unused_since=before)
                try:
                    await self._entity_client.tell(f"{SERVER}{server.id}", asked, WHO)
                except (Refused, NotFound):
                    continue
                going.append(server.id)
        return going

    async def _empty_of_strays(self, server: ShareServer) -> None:
        """A share that is gone, and whose request to be here came late, keeps no server."""
        for share_id in server.shares:
            known: Share | None = await self._catalog.ask("share", share_id=share_id)
            if known is not None and known.status == "deleted":
                gone = DetachShare(share_id=share_id)
                await self._entity_client.tell(f"{SERVER}{server.id}", gone, WHO)

    # -- exports ---------------------------------------------------------------------------------
    async def _ensure_all(self) -> None:
        """Shares of backends whose info changed, in the background, until all were asked."""
        for backend in await self._all("backend", "up"):
            state: BackendState = backend
            if state.info is not None and state.ensured is None:
                await self._confirm(state, 0)  # nothing was exported under another one
            elif state.info != state.ensured and state.id in self.config.backends:
                await self._confirm(state, await self._ensure(state))

    async def _ensure(self, backend: BackendState) -> int:
        assert backend.info is not None
        marker, count, room = None, 0, asyncio.Semaphore(AT_ONCE)
        while True:
            page = await self._catalog.ask(
                "shares", backend=backend.id, status="available", limit=PAGE, marker=marker
            )
            asked = [self._ensure_one(share.id, backend.info, room) for share in page.items]
            count += sum(await asyncio.gather(*asked))
            marker = page.next_marker
            if marker is None:
                return count

    async def _ensure_one(self, share_id: str, info: str, room: asyncio.Semaphore) -> bool:
        async with room:
            try:
                await self._entity_client.ask(Share, share_id, EnsureShare(info=info), WHO)
            except (OperationFailed, Refused, NotFound) as error:  # its own events tell
                logger.warning("share %s: %s", share_id, error)
                return False
            return True

    async def _confirm(self, backend: BackendState, shares: int) -> None:
        assert backend.info is not None
        done = ConfirmShares(info=backend.info, shares=shares)
        await self._entity_client.tell(f"backend:{backend.id}", done, WHO)

    async def _all(self, kind: str, status: str) -> list[Any]:
        found: list[Any] = []
        marker = None
        while True:
            page = await self._catalog.ask(
                "entities", kind=kind, status=status, limit=PAGE, marker=marker
            )
            found += page.items
            marker = page.next_marker
            if marker is None:
                return found
