"""The asynchronous client's backends: their reports, their audit, and changes of their configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Unpack

from share_actors.actors.messaging.parameters import instance, known_id, number, refuse, word
from share_actors.audit.backend_audit import BackendDifference, compare
from share_actors.audit.capacity import CapacityPoint, capacity_history
from share_actors.client.entities import AsyncEntityCollection
from share_actors.client.keywords import RequestOptions
from share_actors.client.requests import Requests
from share_actors.client.results import BackendChanges, HandledEntities, MovedBackend
from share_actors.client.share.creator import ShareCreator
from share_actors.client.unknown_deletion import UnknownDeletion
from share_actors.config import Config
from share_actors.drivers.abilities import BackendObject
from share_actors.errors import NotFound, Refused
from share_actors.values import BackendReport, BackendState, Share, ShareUsage

PAGE_SIZE = 1000
WATCH_S = 30.0
"""How long one call to the manager waits for reports of backends."""


class AsyncBackendCollection(AsyncEntityCollection[BackendState]):
    """Backends: their capabilities and statistics, and their configuration."""

    _kind = "backend"
    _entity_type = BackendState

    def __init__(self, requests: Requests, creator: ShareCreator) -> None:
        super().__init__(requests)
        self._deletion = UnknownDeletion(requests, creator)

    async def stats(self) -> dict[str, BackendReport]:
        """The last report of each backend, by name; soon after a start, waits for the first of each."""
        reports: dict[str, BackendReport] = await self._requests.ask_manager("capabilities")
        return reports

    async def publish(self, backend: str | None = None) -> dict[str, BackendReport]:
        """Have every backend, or this one, report now; the reports, by name.

        Raises `ConfigError` for an unknown backend.
        """
        verb = "publish_service_capabilities"
        context = self._requests.context
        reports: dict[str, BackendReport] = await self._requests.call_manager(
            verb, context, backend
        )
        return reports

    async def audit(self, backend: str) -> Sequence[BackendDifference]:
        """What differs between *backend* and the log: lost and unknown shares and snapshots, sizes, rules.

        Changes nothing. Shares that change meanwhile are left out. Raises `Refused` if the backend's driver
        cannot list what is on it, `ConfigError` for an unknown backend, and `Unavailable` if it fails.
        """
        backend = word("backend", backend)
        before = await self._shares_on(backend)
        objects: Sequence[BackendObject] = await self._requests.call_manager_once(
            "list_backend", self._requests.context, backend
        )
        return compare(backend, objects, before, await self._shares_on(backend))

    async def delete_unknown(
        self, backend: str, share_id: str, **options: Unpack[RequestOptions]
    ) -> Share:
        """Delete a share, or a snapshot of this id, that only *backend* has, as `audit` shows it now.

        *share_id* may be its location instead. Returns the record of the deletion, or the share of the
        snapshot. The request is recorded in the stream of the share before the driver is called, as every
        request is: it is carried out also after a restart. What has no id, a share on a share server, and a
        snapshot of a share that the log does not have are managed as a share first, which is then deleted.
        Raises `NotFound` if nothing unknown on *backend* has this id or location, `Refused` if the log has it
        by now, if it is a snapshot whose share also exists only on the backend, or if a share of *backend* is
        being managed, and `OperationFailed` with the driver's reason.
        """
        backend, share_id = word("backend", backend), _id_or_location(share_id)
        differences = await self.audit(backend)
        item = next((d for d in differences if d.is_unknown_as(share_id)), None)
        if item is None:
            text = f"nothing called {share_id} is unknown on backend {backend!r}: see its audit"
            raise NotFound(text, field="share_id", value=share_id)
        _require_share_gone(item, differences)
        await self._require_nothing_managed(backend)
        return await self._deletion.delete(backend, item, options)

    async def _require_nothing_managed(self, backend: str) -> None:
        """Raise `Refused` while a share of *backend* is being managed: it might be the unknown one."""
        for share in await self._shares_on(backend):
            if share.status == "manage_starting":
                text = f"share {share.id} of backend {backend!r} is being managed: wait for its outcome"
                raise Refused(text, field="backend", value=backend)

    async def _shares_on(self, backend: str) -> Sequence[Share]:
        shares: list[Share] = []
        marker: str | None = None
        while True:
            page = await self._requests.catalog.listed(
                "shares", backend=backend, limit=PAGE_SIZE, marker=marker, wait=True
            )
            shares += page.items
            marker = page.next_marker
            if marker is None:
                return shares

    async def capacity(
        self,
        backend: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[CapacityPoint]:
        """The capacity of *backend* over time, from its recorded reports: at most the *limit* latest points.

        The first is the one in force at *since*. A change of no more than a tenth of a pool's total
        capacity is not recorded: until the next point, a point is that accurate. Times have a time zone.
        Raises `NotFound` for a backend that never reported.
        """
        if not 1 <= number("limit", limit) <= PAGE_SIZE:
            refuse("limit", limit, f"is not a number from 1 to {PAGE_SIZE}")
        since, until = _time("since", since), _time("until", until)
        return capacity_history(await self.history(backend), since, until, limit)

    async def watch(self) -> AsyncIterator[BackendReport]:
        """Reports as they are published, without end; first the last one of each backend."""
        after = 0
        while True:
            update = await self._requests.ask_manager("watch", after, WATCH_S)
            after = update.number
            for report in update.items:
                yield report

    async def reload(self, config: Config) -> BackendChanges:
        """Continue with the backends of *config*; the names `added`, `changed` and `removed`.

        Raises `ConfigError` if a setting differs that takes a restart; nothing is changed then.
        """
        config = instance("config", config, Config)
        changes: BackendChanges = await self._requests.call_manager_once(
            "reload", config, context=self._requests.context
        )
        return changes

    async def start(self, backend: str) -> BackendReport:
        """Start what serves a backend, after `stop` or a failure; its report afterwards.

        Raises `Refused` if its driver runs no daemons, and `Unavailable` with the reason if it fails.
        """
        report: BackendReport = await self._requests.ask_manager("start_backend", backend)
        return report

    async def stop(self, backend: str) -> BackendReport:
        """Stop what serves a backend, until `start` or the next start of the system; its report afterwards.

        Its clients lose their shares, and requests for them wait. Raises as `start` does.
        """
        report: BackendReport = await self._requests.ask_manager("stop_backend", backend)
        return report

    async def usage(self, backend: str) -> dict[str, ShareUsage]:
        """How much of each share on a backend is used, by share id; raises as a share's `usage` does."""
        usage: dict[str, ShareUsage] = await self._requests.ask_manager("backend_usage", backend)
        return usage

    async def rename(self, old: str, new: str) -> HandledEntities:
        """Record that the backend *old* is called *new* now; all that is on it belongs to *new*.

        Work in progress continues; work that failed only because *old* was not configured is tried again.
        Raises `ConfigError` if *new* is not configured, `NotFound` if *old* never was, and `Refused` if it
        is still configured or *new* is not the same storage. It may be repeated.
        """
        context = self._requests.context
        verb = "rename_backend"
        renamed: HandledEntities = await self._requests.call_manager(verb, context, old, new)
        return renamed

    async def move(self, backend: str, node: str, *, reason: str | None = None) -> MovedBackend:
        """Pin *backend* to the nodes with the Ray resource *node*, whatever the configuration says.

        Recorded; it counts until the configuration names another node than now. Raises `Refused` if the
        backend is not pinned, if its node is silent and was not forgotten, or if the driver does not find the
        shares on the new node, and `Unavailable` if its set-up fails there. Nothing is changed then.
        """
        moved: MovedBackend = await self._requests.ask_manager(
            "move_backend", backend, node, reason
        )
        return moved

    async def forget(self, backend: str, reason: str) -> HandledEntities:
        """Forget all shares and share servers of a backend that is not configured any more.

        No driver is called; *reason* is recorded with each of them. Raises `Refused` while it is configured.
        """
        context, verb = self._requests.context, "forget_backend"
        forgotten: HandledEntities = await self._requests.call_manager(
            verb, context, backend, reason
        )
        return forgotten


def _require_share_gone(item: BackendDifference, differences: Sequence[BackendDifference]) -> None:
    """Raise `Refused` if *item* is a snapshot of a share that only the backend has too."""
    of_it = (d for d in differences if d.of == "share" and d.is_unknown_as(item.share_id or ""))
    if item.of == "snapshot" and any(of_it):
        text = (
            f"{item.location} is a snapshot of share {item.share_id}, which only the backend has too:"
            " nothing was changed. Adopt or delete that share first"
        )
        raise Refused(text, field="share_id", value=item.id or item.location)


def _id_or_location(value: str) -> str:
    """*value*, which is an id unless it has a slash; raises `InvalidRequest`."""
    is_location = isinstance(value, str) and "/" in value
    return word("share_id", value) if is_location else known_id("share", value)


def _time(field: str, value: datetime | None) -> datetime | None:
    """A time with a time zone, or None."""
    if value is not None and instance(field, value, datetime).utcoffset() is None:
        refuse(field, str(value), "has no time zone")
    return value
