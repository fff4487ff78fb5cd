"""The manager's periodic tasks: silent backends, unused share servers, outdated exports, soft deletions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.actors.hosting.nodes import NodeWatch
from share_actors.actors.manager.backend_contents import BackendContents
from share_actors.actors.manager.snapshot_policies import SnapshotPolicies
from share_actors.actors.manager.timings import ManagerTimings
from share_actors.actors.messaging.entity_client import TRY_S, EntityClient, within
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.pool_stats import BackendReports, silent_report
from share_actors.config import Config
from share_actors.errors import NotFound, OperationFailed, Refused, ShareActorsError
from share_actors.events.backend import ConfirmShares, ReportSilence
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share.messages import DeleteDueShare
from share_actors.events.share_server import DeleteServer, DetachShare
from share_actors.values import (
    SYSTEM_CONTEXT,
    BackendState,
    Share,
    ShareServer,
    utc_now,
)

logger = logging.getLogger(__name__)
PAGE_SIZE = 500
MAX_CONCURRENT = 20
"""How many shares of a backend are ensured, and how many softly deleted ones are deleted, at a time."""


class PeriodicTasks:
    """Loops of the manager; an error in one round is logged, and the loop continues."""

    def __init__(
        self,
        config: Config,
        catalog: CatalogPort,
        entity_client: EntityClient,
        backend_reports: BackendReports,
        nodes: NodeWatch,
        timings: ManagerTimings,
    ) -> None:
        self.config = config
        self._catalog, self._entity_client = catalog, entity_client
        self._backend_reports, self._nodes, self._timings = backend_reports, nodes, timings
        self._policies = SnapshotPolicies(catalog, entity_client, self._pages)

    async def run(self) -> None:
        """Run all loops until cancelled."""
        timings = self._timings
        await asyncio.gather(
            self._repeat(
                lambda: timings.silence_check_s, self._report_silence, "reporting silent backends"
            ),
            self._repeat(
                lambda: self.config.servers.check_every_s,
                self.delete_free_servers,
                "deleting unused share servers",
            ),
            self._repeat(lambda: timings.ensure_check_s, self._ensure_shares, "ensuring shares"),
            self._repeat(lambda: timings.due_check_s, self._delete_due, "deleting due shares"),
            self._repeat(
                lambda: timings.due_check_s, self._policies.run_due, "taking scheduled snapshots"
            ),
            self._finish_renames(),
        )

    async def _repeat(
        self, pause_s: Callable[[], float], task: Callable[[], Awaitable[Any]], description: str
    ) -> None:
        while True:
            await asyncio.sleep(pause_s())
            try:
                await task()
            except ShareActorsError as error:
                logger.warning("%s: %s", description, error)
            except Exception:  # any bug: continue with the next round
                logger.exception("%s failed; it will be retried", description)

    # -- backends --------------------------------------------------------------------------------
    async def _report_silence(self) -> None:
        """Record a backend as down whose node is lost, or whose stats actor hangs or is missing."""
        for name, settings in self.config.backends.items():
            absence = self._nodes.absence(settings.node)
            reason = absence or self._backend_reports.silence_reason(name, settings)
            latest = self._backend_reports.latest(name)
            if reason is not None and (latest is None or latest.reason is None):
                self._backend_reports.publish(silent_report(name, reason, latest))
                told = "no reports" if absence is None else f"no node with {settings.node}"
                command = ReportSilence(backend=name, reason=told)
                await self._entity_client.tell(f"backend:{name}", command, SYSTEM_CONTEXT)

    async def _finish_renames(self) -> None:
        """Continue, once, the renaming of backends that the end of an earlier manager cut off."""
        while True:
            try:
                if await self._renames_finished():
                    return
            except ShareActorsError as error:
                logger.warning("finishing the renaming of a backend: %s", error)
            await asyncio.sleep(self._timings.ensure_check_s)

    async def _renames_finished(self) -> bool:
        """Whether nothing is left on any renamed backend, after a further pass over what was left."""
        contents = BackendContents(self._catalog, self._entity_client)
        finished = True
        for backend in await self._entities("backend", "renamed"):
            new = backend.renamed_to
            if backend.id not in self.config.backends and new in self.config.backends:
                handled = await contents.rename(backend.id, new, SYSTEM_CONTEXT)
                finished = finished and not handled.failed
        return finished

    # -- share servers ---------------------------------------------------------------------------
    async def delete_free_servers(self) -> list[str]:
        """Request deletion of servers unused for longer than configured; returns their ids.

        The server decides: one that received a share in the meantime stays.
        """
        if not self.config.servers.delete_free:
            return []
        before = utc_now() - timedelta(minutes=self.config.servers.unused_minutes)
        requested = []
        for server in await self._entities("share_server", "active"):
            await self._detach_deleted_shares(server)
            if await self._delete_if_unused(server, before):
                requested.append(server.id)
        return requested

    async def _delete_if_unused(self, server: ShareServer, before: datetime) -> bool:
        if server.unused_since is None or server.unused_since > before:
            return False
        if server.backend not in self.config.backends:
            return False  # the tear-down would fail: it can be forgotten, or its backend comes back
        command = DeleteServer(why="unused", unused_since=before)
        try:
            await self._entity_client.tell(f"{SERVER}{server.id}", command, SYSTEM_CONTEXT)
        except (Refused, NotFound):
            return False
        return True

    async def _detach_deleted_shares(self, server: ShareServer) -> None:
        """Detach deleted shares, whose request to attach arrived late; they must not keep a server."""
        for share_id in server.shares:
            share: Share | None = await self._catalog.ask("share", share_id=share_id)
            if share is not None and share.status in ("deleted", "unmanaged"):
                command = DetachShare(share_id=share_id)
                await self._entity_client.tell(f"{SERVER}{server.id}", command, SYSTEM_CONTEXT)

    # -- exports ---------------------------------------------------------------------------------
    async def _ensure_shares(self) -> None:
        """Ensure the available shares of each backend whose info changed, and record that it is done."""
        backend: BackendState
        for backend in await self._entities("backend", "up"):
            if backend.info is not None and backend.ensured is None:
                await self._confirm(backend, 0)  # nothing was exported with another info
            elif backend.info != backend.ensured and backend.id in self.config.backends:
                await self._confirm(backend, await self._ensure_backend(backend))

    async def _ensure_backend(self, backend: BackendState) -> int:
        """Ensure all available shares of *backend*; returns how many succeeded."""
        assert backend.info is not None
        limit = asyncio.Semaphore(MAX_CONCURRENT)
        count = 0
        async for shares in self._pages("shares", backend=backend.id, status="available"):
            results = [self._ensure_share(share.id, backend.info, limit) for share in shares]
            count += sum(await asyncio.gather(*results))
        return count

    async def _ensure_share(self, share_id: str, info: str, limit: asyncio.Semaphore) -> bool:
        async with limit:
            try:
                await self._entity_client.ask(
                    Share, share_id, EnsureShare(info=info), SYSTEM_CONTEXT
                )
            except (OperationFailed, Refused, NotFound) as error:  # the share records its failure
                logger.warning("share %s: %s", share_id, error)
                return False
            return True

    async def _confirm(self, backend: BackendState, shares: int) -> None:
        assert backend.info is not None
        command = ConfirmShares(info=backend.info, shares=shares)
        await self._entity_client.tell(f"backend:{backend.id}", command, SYSTEM_CONTEXT)

    # -- soft deletions --------------------------------------------------------------------------
    async def _delete_due(self) -> None:
        """Delete the softly deleted shares whose grace period is over; each share decides it."""
        async for shares in self._pages("shares", status="soft_deleted"):
            now, limit = utc_now(), asyncio.Semaphore(MAX_CONCURRENT)
            due = [share.id for share in shares if _is_due(share, now)]
            await asyncio.gather(*(self._delete_one_due(share_id, limit) for share_id in due))

    async def _delete_one_due(self, share_id: str, limit: asyncio.Semaphore) -> None:
        """Delete one share; an error does not stop the others."""
        tell = self._entity_client.tell
        async with limit:
            try:
                await within(TRY_S, tell(share_id, DeleteDueShare(), SYSTEM_CONTEXT))
            except (Refused, NotFound) as error:  # it was restored or deleted meanwhile
                logger.info("share %s: %s", share_id, error)
            except ShareActorsError as error:
                logger.warning("share %s is not deleted yet: %s", share_id, error)

    # -- the catalog -----------------------------------------------------------------------------
    async def _entities(self, kind: str, status: str) -> list[Any]:
        """All entities of *kind* in *status*."""
        entities: list[Any] = []
        async for page in self._pages("entities", kind=kind, status=status):
            entities += page
        return entities

    async def _pages(self, query: str, **filters: str) -> AsyncIterator[list[Any]]:
        """The items of each page of a catalog query."""
        marker: str | None = None
        while True:
            page = await self._catalog.ask(query, **filters, limit=PAGE_SIZE, marker=marker)
            yield list(page.items)
            marker = page.next_marker
            if marker is None:
                return


def _is_due(share: Share, now: datetime) -> bool:
    """Whether the grace period of a softly deleted share is over."""
    until = share.scheduled_to_be_deleted_at
    return until is not None and until <= now
