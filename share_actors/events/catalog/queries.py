"""The catalog: tables of shares, snapshots, rules and other entities, for lists and look-ups.

Everything in it comes from the log, so it can be deleted and is rebuilt. A stream with an event that cannot
be applied is parked, and the other streams are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest
from share_actors.events import share as aggregate
from share_actors.events import share_type
from share_actors.events.aggregates import AGGREGATES, kind_of
from share_actors.events.catalog import sql, sqlite
from share_actors.events.catalog.figures import Figures
from share_actors.events.catalog.figures import read as read_figures
from share_actors.events.catalog.fold import Parked
from share_actors.events.catalog.parameters import (
    MAX_LIMIT,
    check_limit,
    share_filters,
)
from share_actors.events.catalog.projection import read_state
from share_actors.events.catalog.rows import searchable
from share_actors.events.catalog.use_queries import UseQueries
from share_actors.events.log import Log
from share_actors.events.share.room import Room, ShareRoom, share_room
from share_actors.events.share.snapshot import cloning
from share_actors.events.share.snapshot.cloning import Source
from share_actors.policy import owner_of, owns
from share_actors.values import (
    AsOf,
    Counts,
    Page,
    Share,
    ShareRule,
)

__all__ = ["Catalog", "Parked", "ShareRule"]


class Rooms(NamedTuple):
    """What shares take from their pools: in all by host, and single ones by id.

    While the catalog catches up, *hosts* is as of *as_of*; *shares* is always complete.
    """

    hosts: dict[str, Room]
    shares: dict[str, ShareRoom]
    as_of: AsOf | None = None


class Catalog(UseQueries):
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

    def figures(self, settings: LogSettings, path: Path) -> Figures:
        """Return figures for monitoring; see `figures.read`."""
        return read_figures(self._log, self._store, self.as_of(), settings, path)

    def owns(self, address: str) -> bool:
        """Return whether the entity at *address* exists, and is of the caller's project if that matters."""
        if kind_of(address) not in AGGREGATES or (state := self._current(address)) is None:
            return False
        owner, caller = owner_of(AGGREGATES[kind_of(address)].owned(state)), self._caller
        return caller.is_system_admin or owns(caller, owner)

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
        shares = (aggregate.view(state) for state in self._share_states(rows))
        seen = tuple(self._seen(share.id, share) for share in shares)
        return Page(seen, next_marker, self._behind)

    def count_shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
        is_public: bool | None = None,
    ) -> Counts:
        """Count them by status."""
        filters = share_filters(name, status, project_id, backend, is_public)
        scope = self._scope(sql.SHARES, or_public=bool(is_public or project_id))
        if name is None:
            return self._count(sql.SHARE_COUNTS, {**filters, "name": None}, scope)
        return self._count(sql.SHARES, filters, scope)

    def share(self, share_id: str) -> Share | None:
        """Return one share, also a deleted one; None if there is none."""
        if kind_of(share_id) != aggregate.KIND or (state := self._current(share_id)) is None:
            return None
        share: Share | None = self._seen(share_id, aggregate.view(state))
        return share

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
        shares = {i: share_room(state) for i, state in self._currents(share_ids).items()}
        rows = self._store.rows(sql.Query(sql.ROOM, []))
        hosts = {row["host"]: Room(*(row[count] for count in Room._fields)) for row in rows}
        return Rooms(hosts, shares, self._behind)

    def source(self, snapshot_id: str, project_id: str | None = None) -> Source | None:
        """Return what a share is to be created from; None if there is none. See `snapshot`.

        With *project_id*, snapshots of other projects that have the same id do not count.
        """
        own = None if project_id is None else sql.own_rows(sql.SNAPSHOTS, searchable(project_id))
        row = self._one(sql.SNAPSHOTS, snapshot_id, "snapshot", own)
        if row is None:
            return None
        [state] = self._share_states(self._store.rows(sql.find(sql.SHARES, row["share_id"])))
        return cloning.source(state, snapshot_id)

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
        return Page(tuple(_view(row, kind) for row in rows), next_marker, self._behind)

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
        return Page(tuple(seen), marker, self._behind)

    def entity(self, address: str) -> Any:
        """Return one entity other than a share, also a deleted one; None if there is none."""
        kind = kind_of(address)
        if kind == aggregate.KIND or kind not in AGGREGATES:
            return None
        state = self._current(address)
        return None if state is None else self._seen(address, _view_of(state, kind))

    def has_command(self, share_id: str, command_id: str) -> bool:
        """Return whether a share has a request of this command id."""
        self.catch_up()
        rows = self._store.rows(sql.Query(sql.HAS_COMMAND, [searchable(command_id), share_id]))
        if rows or self._behind is None:
            return bool(rows)
        rest = self._rest(share_id, 0)
        return any(recorded.envelope.command_id == command_id for recorded in rest)

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


def _view(row: Any, kind: str) -> Any:
    return _view_of(read_state(row, kind), kind)


def _view_of(state: Any, kind: str) -> Any:
    module: Any = AGGREGATES[kind]
    return module.view(state)
