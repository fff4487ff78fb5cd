"""The catalog: tables of shares, snapshots, rules and other entities, for lists and look-ups.

Everything in it comes from the log, so it can be deleted and is rebuilt. A stream with an event that cannot
be applied is parked, and the other streams are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, Self

from share_actors.config import LogSettings
from share_actors.errors import Ambiguous, InvalidRequest, NotFound
from share_actors.events import share as aggregate
from share_actors.events import share_type
from share_actors.events.aggregates import AGGREGATES, kind_of
from share_actors.events.catalog import sql, sqlite
from share_actors.events.catalog.fold import Parked, searchable
from share_actors.events.catalog.parameters import (
    MAX_LIMIT,
    after_marker,
    check_limit,
    check_value,
    share_filters,
)
from share_actors.events.catalog.projection import Projection, read_state
from share_actors.events.log import Log
from share_actors.events.share import cloning
from share_actors.events.share.cloning import Source
from share_actors.events.share.room import Room, ShareRoom, share_room
from share_actors.events.visibility import seen_by
from share_actors.policy import Caller, Role
from share_actors.values import (
    AccessRule,
    Page,
    RuleState,
    Share,
    ShareRule,
    Snapshot,
    SnapshotStatus,
)

__all__ = ["Catalog", "Parked", "ShareRule"]


class Rooms(NamedTuple):
    """What shares take from their pools: in all by host, and single ones by id."""

    hosts: dict[str, Room]
    shares: dict[str, ShareRoom]


class Catalog(Projection):
    """Queries on the catalog; each first applies all events that the log has, so it sees them."""

    @classmethod
    def open(cls, log: Log, settings: LogSettings, path: Path) -> Self:
        """Open the catalog of *log*: the file at *path*, or for PostgreSQL tables in the log's schema."""
        if settings.kind == "postgresql":
            from share_actors.events.catalog import postgres  # noqa: PLC0415 - an optional package

            return cls(log, postgres.open_catalog(settings))
        return cls(log, sqlite.open_catalog(settings, path))

    def close(self) -> None:
        """Close the catalog's database; the log stays open."""
        self._store.close()

    # -- callers ---------------------------------------------------------------------------------------
    _caller = Caller("", Role.SYSTEM_ADMIN)

    def as_seen_by(self, caller: Caller) -> Self:
        """Return this catalog with what *caller* may read; what it may not, does not exist in it."""
        seen = copy(self)
        seen._caller = caller
        return seen

    def _scope(self, table: sql.Table, *, or_public: bool = False) -> sql.Scope:
        """Return the rows that the caller may list."""
        if self._caller.is_system_admin:
            return sql.EVERYTHING
        project = searchable(self._caller.project_id)
        return sql.own_rows(table, project, or_public=or_public) if project else sql.NOTHING

    def _seen(self, address: str, entity: Any) -> Any:
        """Return *entity* as the caller may see it; None if it may not."""
        try:
            return seen_by(self._caller, entity, address)
        except NotFound:
            return None

    def owns(self, address: str) -> bool:
        """Return whether the entity at *address* exists, and is of the caller's project if that matters."""
        self.catch_up()
        table = sql.SHARES if kind_of(address) == aggregate.KIND else sql.ENTITIES
        return bool(self._store.rows(sql.find(table, address, self._scope(table))))

    # -- shares ----------------------------------------------------------------------------------------
    def shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
        is_public: bool | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page[Share]:
        """List shares, the oldest first; deleted and unmanaged ones only if *status* selects them.

        Public shares of other projects are listed with *is_public*, or if *project_id* is theirs.
        """
        filters = share_filters(name, status, project_id, backend, is_public)
        scope = self._scope(sql.SHARES, or_public=bool(is_public or project_id))
        rows, next_marker = self._page(sql.SHARES, filters, limit, marker, scope)
        shares = (aggregate.view(read_state(row)) for row in rows)
        return Page(tuple(self._seen(share.id, share) for share in shares), next_marker)

    def count_shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
        is_public: bool | None = None,
    ) -> dict[str, int]:
        """Count them by status."""
        filters = share_filters(name, status, project_id, backend, is_public)
        scope = self._scope(sql.SHARES, or_public=bool(is_public or project_id))
        return self._count(sql.SHARES, filters, scope)

    def share(self, share_id: str) -> Share | None:
        """Return one share, also a deleted one; None if there is none."""
        self.catch_up()
        rows = self._store.rows(sql.find(sql.SHARES, share_id))
        return self._seen(share_id, aggregate.view(read_state(rows[0]))) if rows else None

    def named(self, name: str) -> tuple[Share, ...]:
        """Return the shares named *name*, which need not be unique; at most 1,000.

        If the caller's own project has any, these are all: names are per project.
        """
        own = self._caller.project_id or None
        return (
            (self.shares(name=name, project_id=own, limit=MAX_LIMIT).items if own else ())
            or self.shares(name=name, limit=MAX_LIMIT).items
            or self.shares(name=name, is_public=True, limit=MAX_LIMIT).items
        )

    def owing(self, limit: int = 100, marker: str | None = None) -> list[str]:
        """Return the sorted addresses of entities with pending work, after *marker*."""
        self.catch_up()
        values = [marker or "", marker or "", check_limit(limit)]
        return [row["id"] for row in self._store.rows(sql.Query(sql.OWING, values))]

    def room(self, share_ids: Sequence[str] = ()) -> Rooms:
        """The room that all shares take, by host (`backend#pool`), and that of each of *share_ids*.

        The single shares are read first: what is recorded between the two counts twice rather than not.
        """
        self.catch_up()
        states = self._states(share_ids)
        shares = {share_id: share_room(entity.state) for share_id, entity in states}
        rows = self._store.rows(sql.Query(sql.ROOM, []))
        hosts = {row["host"]: Room(*(row[count] for count in Room._fields)) for row in rows}
        return Rooms(hosts, shares)

    def source(self, snapshot_id: str, project_id: str | None = None) -> Source | None:
        """Return what a share is to be created from; None if there is none. See `snapshot`.

        With *project_id*, snapshots of other projects that have the same id do not count.
        """
        own = None if project_id is None else sql.own_rows(sql.SNAPSHOTS, searchable(project_id))
        row = self._one(sql.SNAPSHOTS, snapshot_id, "snapshot", own)
        if row is None:
            return None
        [share] = self._store.rows(sql.find(sql.SHARES, row["share_id"]))
        return cloning.source(read_state(share), snapshot_id)

    def copies(self, share_id: str) -> dict[str, str]:
        """Return the shares that are being created from snapshots of a share: snapshot ids by share id."""
        self.catch_up()
        rows = self._store.rows(sql.Query(sql.COPIES, [share_id]))
        sources = {row["id"]: read_state(row).source for row in rows}
        return {i: source.id for i, source in sources.items() if source is not None}

    def on_network(self, network_id: str, limit: int = 100) -> list[str]:
        """Return the sorted ids of the shares that use a share network, also of those in error."""
        self.catch_up()
        values = [searchable(network_id), check_limit(limit)]
        return [row["id"] for row in self._store.rows(sql.Query(sql.ON_NETWORK, values))]

    # -- networks, servers, types, backends ------------------------------------------------------------
    def entities(
        self,
        *,
        kind: str,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        parent: str | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page[Any]:
        """List entities of a *kind* other than share, the oldest first; *parent*: on that share network."""
        if kind not in AGGREGATES or kind == aggregate.KIND:
            raise InvalidRequest(f"kind: {kind!r} is not a listable kind", field="kind", value=kind)
        filters = {"kind": kind, "name": name, "status": status, "project_id": project_id}
        scope = self._scope(sql.ENTITIES)
        if kind == share_type.KIND and not self._caller.is_system_admin:
            return self._types_seen(filters, limit, marker)
        filters = {**filters, "parent": parent}
        rows, next_marker = self._page(sql.ENTITIES, filters, limit, marker, scope)
        return Page(tuple(_view(row, kind) for row in rows), next_marker)

    def _types_seen(
        self, filters: dict[str, str | None], limit: int, marker: str | None
    ) -> Page[Any]:
        """List the share types that the caller may read: public ones, and those for its project."""
        seen: list[Any] = []
        while len(seen) < check_limit(limit):
            rows, marker = self._page(sql.ENTITIES, filters, limit - len(seen), marker)
            types = (_view(row, share_type.KIND) for row in rows)
            seen += [found for each in types if (found := self._seen(each.id, each)) is not None]
            if marker is None:
                break
        return Page(tuple(seen), marker)

    def entity(self, address: str) -> Any:
        """Return one entity other than a share, also a deleted one; None if there is none."""
        self.catch_up()
        rows = self._store.rows(sql.find(sql.ENTITIES, address))
        return self._seen(address, _view(rows[0], kind_of(address))) if rows else None

    def command_shares(self, command_id: str, limit: int = 2) -> list[str]:
        """Return the ids of the shares with a request of this command id: one, unless command ids clash."""
        self.catch_up()
        projects: list[str | None] = [searchable(self._caller.project_id)]
        if self._caller.is_system_admin:
            projects.append(None)
        for project in projects:
            query = sql.command(searchable(command_id), project, check_limit(limit))
            if rows := self._store.rows(query):
                return [row["share_id"] for row in rows]
        return []

    # -- snapshots and rules ---------------------------------------------------------------------------
    def snapshots(
        self,
        *,
        share_id: str | None = None,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page[Snapshot]:
        """List snapshots, the oldest first."""
        check_value("status", status, SnapshotStatus)
        filters = {"share_id": share_id, "name": name, "status": status, "project_id": project_id}
        scope = self._scope(sql.SNAPSHOTS)
        rows, next_marker = self._page(sql.SNAPSHOTS, filters, limit, marker, scope)
        return Page(tuple(Snapshot.model_validate_json(row["value"]) for row in rows), next_marker)

    def count_snapshots(
        self, *, share_id: str | None = None, project_id: str | None = None
    ) -> dict[str, int]:
        """Count them by status."""
        filters = {"share_id": share_id, "project_id": project_id}
        return self._count(sql.SNAPSHOTS, filters, self._scope(sql.SNAPSHOTS))

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """Return one snapshot, None if there is none; raises `Ambiguous` if several shares have this id."""
        row = self._one(sql.SNAPSHOTS, snapshot_id, "snapshot")
        return None if row is None else Snapshot.model_validate_json(row["value"])

    def snapshot_share(self, item_id: str) -> str | None:
        """Return the id of the share of a snapshot; see `snapshot`."""
        row = self._one(sql.SNAPSHOTS, item_id, "snapshot")
        return None if row is None else str(row["share_id"])

    def rules(
        self,
        *,
        share_id: str | None = None,
        state: str | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page[ShareRule]:
        """List access rules, ordered by share."""
        check_value("state", state, RuleState)
        filters = {"share_id": share_id, "state": state}
        scope = self._scope(sql.RULES)
        rows, next_marker = self._page(sql.RULES, filters, limit, marker, scope)
        return Page(tuple(_rule(row) for row in rows), next_marker)

    def count_rules(self, *, share_id: str | None = None) -> dict[str, int]:
        """Count them by state."""
        return self._count(sql.RULES, {"share_id": share_id}, self._scope(sql.RULES))

    def rule_share(self, item_id: str) -> str | None:
        """Return the id of the share of an access rule; raises `Ambiguous` if several shares have this id."""
        row = self._one(sql.RULES, item_id, "access rule")
        return None if row is None else str(row["share_id"])

    # -- inside ----------------------------------------------------------------------------------------
    def _page(
        self,
        table: sql.Table,
        filters: sql.Filters,
        limit: int,
        marker: str | None,
        scope: sql.Scope = sql.EVERYTHING,
    ) -> tuple[list[Any], str | None]:
        after = after_marker(marker, table)
        query = sql.page(table, filters, after, check_limit(limit), scope)
        self.catch_up()
        rows = self._store.rows(query)
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], ",".join(rows[limit - 1][column] for column in table.order)

    def _count(self, table: sql.Table, filters: sql.Filters, scope: sql.Scope) -> dict[str, int]:
        self.catch_up()
        query = sql.count(table, filters, scope)
        return {row["kind"]: row["n"] for row in self._store.rows(query)}

    def _one(
        self, table: sql.Table, item_id: str, kind: str, scope: sql.Scope | None = None
    ) -> Any:
        self.catch_up()
        rows = self._store.rows(sql.find(table, item_id, scope or self._scope(table)))
        if len(rows) > 1:
            shares = ", ".join(row["share_id"] for row in rows)
            message = f"several shares have a {kind} {item_id}: {shares}; give the share's id"
            raise Ambiguous(message, field="id", value=item_id)
        return rows[0] if rows else None


def _view(row: Any, kind: str) -> Any:
    module: Any = AGGREGATES[kind]
    return module.view(read_state(row, kind))


def _rule(row: Any) -> ShareRule:
    rule = AccessRule.model_validate_json(row["value"])
    return ShareRule(share_id=row["share_id"], **dict(rule))
