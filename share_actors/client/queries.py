"""What a client asks a running system: lists, receipts, histories, events, the status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Unpack

from share_actors.actors.messaging.parameters import instance, known_id, not_found, seconds, word
from share_actors.client.event_feed import subscribe
from share_actors.client.keywords import (
    DEFAULT_TIMEOUT_S,
    EventFilters,
    RuleFilters,
    ShareCountFilters,
    ShareFilters,
    SnapshotFilters,
)
from share_actors.client.receipt import Receipt, raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.results import ShareLocation, SystemStatus, SystemVersions
from share_actors.client.share.handle import AsyncShare
from share_actors.client.watching import AsyncSystemWatching
from share_actors.errors import Ambiguous, Forbidden
from share_actors.events.envelope import Recorded
from share_actors.values import Counts, Page, ShareRule, Snapshot
from share_actors.values.checks.ids import is_id, is_name


class AsyncSystemQueries(AsyncSystemWatching):
    """The methods of `AsyncShareSystem` that change nothing."""

    _requests: Requests
    _namespace: str

    async def shares(self, **filters: Unpack[ShareFilters]) -> Page[AsyncShare]:
        """A page of shares (as handles), the oldest first.

        *filters*: `name`, `status`, `project_id`, `backend`, `is_public`, with `limit` (default 100, at most
        1000), `marker` and `wait`. Raises `InvalidRequest` for an unknown filter or value, as all lists do.
        """
        page = await self._requests.catalog.listed("shares", **filters)
        shares = (AsyncShare(self._requests, share.id, None, share) for share in page.items)
        return Page(tuple(shares), page.next_marker, page.as_of)

    async def count_shares(self, **filters: Unpack[ShareCountFilters]) -> Counts:
        """The number of shares by status; *filters*: `name`, `status`, `project_id`, `backend`."""
        counts: Counts = await self._requests.catalog.listed("count_shares", **filters)
        return counts

    async def snapshots(self, **filters: Unpack[SnapshotFilters]) -> Page[Snapshot]:
        """A page of snapshots by `share_id`, `name`, `status`, `project_id`, with `limit` and `marker`."""
        page: Page[Snapshot] = await self._requests.catalog.listed("snapshots", **filters)
        return page

    async def snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot with this id, else with this name; raises `NotFound`, or `Ambiguous` with the ids."""
        if is_id(word("id", snapshot_id)):
            found: Snapshot | None = await self._requests.catalog.ask(
                "snapshot", snapshot_id=snapshot_id
            )
            if found is not None:
                return found
        named = await self._snapshots_named(snapshot_id) if is_name(snapshot_id) else ()
        if not named:
            raise not_found("snapshot", snapshot_id)
        if len(named) > 1:
            told = ", ".join(f"{s.id} of share {s.share_id}" for s in named)
            text = f"{len(named)} snapshots are named {snapshot_id!r}: use an id: {told}"
            ids = [snapshot.id for snapshot in named]
            raise Ambiguous(text, field="id", value=snapshot_id, ids=ids)
        return named[0]

    async def _snapshots_named(self, name: str) -> Sequence[Snapshot]:
        """Those with this name: of the user's project if it has any, else of all."""
        for project_id in (self._requests.context.project_id, None):
            page = await self.snapshots(name=name, project_id=project_id, limit=20, wait=True)
            if page.items:
                return page.items
        return ()

    async def rules(self, **filters: Unpack[RuleFilters]) -> Page[ShareRule]:
        """A page of access rules by `share_id`, `state`, with `limit` and `marker`."""
        page: Page[ShareRule] = await self._requests.catalog.listed("rules", **filters)
        return page

    async def receipt(self, command_id: str, share_id: str | None = None) -> Receipt:
        """The receipt of an earlier request, by its command id; raises `NotFound`.

        While it is in progress, `attempt` is the last one: its number, since when, and when the next is
        due. Without *share_id* the catalog looks up the share; raises `Ambiguous` if there are several.
        """
        return await self._requests.look_up(command_id, share_id)

    async def wait(self, receipt: Receipt, timeout: float = DEFAULT_TIMEOUT_S) -> Receipt:
        """Wait for the work of a request; raises `OperationFailed`, or `TimedOut` (the work continues)."""
        until = time.monotonic() + seconds("timeout", timeout)
        receipt = instance("receipt", receipt, Receipt)
        return raise_for_status(await self._requests.outcome(receipt, until))

    async def status(self) -> SystemStatus:
        """The status of the system: Ray actors, backends, counts of shares, how far the catalog is behind.

        A part that does not respond is replaced by its `error`.
        """
        manager: Any
        catalog: Any
        manager, catalog = await asyncio.gather(
            self._requests.ask_manager("status"),
            self._requests.catalog.call("status"),
            return_exceptions=True,
        )
        if isinstance(manager, Forbidden):
            raise manager
        return {
            "namespace": self._namespace,
            "manager": {"error": str(manager)} if isinstance(manager, BaseException) else manager,
            "catalog": {"error": str(catalog)} if isinstance(catalog, BaseException) else catalog,
        }

    async def versions(self) -> SystemVersions:
        """The versions of the processes of the system, and the format in which its log is written."""
        processes = dict(await self._requests.ask_manager("versions"))
        processes["catalog"] = dict(await self._requests.catalog.call("versions"))
        written = int(processes["catalog"].pop("written_format"))
        return {"written_format": written, "processes": processes}

    async def where(self, share_id: str) -> ShareLocation:
        """The Ray actor that hosts a share, and its OS process id; raises `NotFound`."""
        address = known_id("share", share_id)
        location: ShareLocation = await self._requests.ask_manager("where", address)
        return location

    async def history(self, share_id: str) -> list[Recorded]:
        """All events of a share, the oldest first; raises `NotFound`."""
        return await self._requests.history(known_id("share", share_id))

    def events(
        self, since: int | datetime = 0, **filters: Unpack[EventFilters]
    ) -> AsyncIterator[Recorded]:
        """Every event after a position, or from a time on, then each new one within a second, without end.

        In the order of the log, from any process. A program that keeps the `position` of the last event it
        has handled goes on with `events(since=position)`: it misses none and gets none twice. *filters*:
        `entity`, `project`, `user`, `kind`, `command`. For the system's administrator. Raises
        `InvalidRequest` for an unknown filter, a time without a zone, or a position of another log.
        """
        return subscribe(self._requests, since, filters)
