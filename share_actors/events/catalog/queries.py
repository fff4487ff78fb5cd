"""The catalog: the log told as tables of shares, snapshots and rules, for whoever lists and looks up.

It holds nothing of its own; drop it, and it is replayed. A stream that can't be followed is parked, and
shown, while the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, get_args

from share_actors.config import LogSettings
from share_actors.errors import Ambiguous, InvalidRequest
from share_actors.events import share as aggregate
from share_actors.events.aggregates import AGGREGATES, kind_of
from share_actors.events.catalog import sql, sqlite
from share_actors.events.catalog.fold import Parked, searchable
from share_actors.events.catalog.projection import Projection, read_state
from share_actors.events.log import Log
from share_actors.values import (
    AccessRule,
    Page,
    RuleState,
    Share,
    ShareRule,
    ShareStatus,
    Snapshot,
    SnapshotStatus,
)

__all__ = ["Catalog", "Parked", "ShareRule"]

MAX_LIMIT = 1_000


class Catalog(Projection):
    """Queries catch up with the log first: they see all that was recorded before they were asked."""

    @classmethod
    def open(cls, log: Log, settings: LogSettings, path: Path) -> Self:
        """The catalog of *log*: in the file at *path*, or for PostgreSQL in the log's database."""
        if settings.kind == "postgresql":
            from share_actors.events.catalog import postgres  # noqa: PLC0415 - an optional package

            return cls(log, postgres.open_catalog(settings))
        return cls(log, sqlite.open_catalog(settings, path))

    def close(self) -> None:
        """Let go of the database; the log stays open."""
        self._store.close()

    # -- shares ----------------------------------------------------------------------------------------
    def shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
        limit: int = 100,
        marker: str | None = None,
    ) -> Page[Share]:
        """Shares, the oldest first; deleted ones only when asked for by *status*."""
        _known("status", status, ShareStatus)
        filters = {"name": name, "status": status, "project_id": project_id, "backend": backend}
        rows, next_marker = self._page(sql.SHARES, filters, limit, marker)
        return Page(tuple(aggregate.view(read_state(row)) for row in rows), next_marker)

    def count_shares(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        backend: str | None = None,
    ) -> dict[str, int]:
        """How many there are of each status."""
        _known("status", status, ShareStatus)
        filters = {"name": name, "status": status, "project_id": project_id, "backend": backend}
        return self._count(sql.SHARES, filters)

    def share(self, share_id: str) -> Share | None:
        """One share, also a deleted one."""
        self.catch_up()
        found = self._store.rows(sql.find(sql.SHARES, share_id))
        return aggregate.view(read_state(found[0])) if found else None

    def named(self, name: str) -> tuple[Share, ...]:
        """The shares that bear *name*: names need not be unique. At most 1,000."""
        return self.shares(name=name, limit=MAX_LIMIT).items

    def owing(self, limit: int = 100, marker: str | None = None) -> list[str]:
        """The addresses of entities that owe work, in their order, after *marker*."""
        self.catch_up()
        values = [marker or "", marker or "", _limited(limit)]
        found = self._store.rows(sql.Query(sql.OWING, values))
        return [row["id"] for row in found]

    def provisioned(self, *, without: Sequence[str] = ()) -> dict[str, float]:
        """GiB of all existing shares, except those with the ids *without*, by host (`backend#pool`)."""
        self.catch_up()
        rows = self._store.rows(sql.provisioned(without))
        return {row["host"]: float(row["gib"]) for row in rows}

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
        """Entities of another *kind* than shares, the oldest first; *parent*: on that share network."""
        if kind not in AGGREGATES or kind == aggregate.KIND:
            raise InvalidRequest(f"kind: {kind!r} is none that is listed", field="kind", value=kind)
        filters = {"kind": kind, "name": name, "status": status, "project_id": project_id}
        rows, next_marker = self._page(sql.ENTITIES, {**filters, "parent": parent}, limit, marker)
        return Page(tuple(_seen(row, kind) for row in rows), next_marker)

    def entity(self, address: str) -> Any:
        """One entity that is no share, also a deleted one; None if there is none."""
        self.catch_up()
        found = self._store.rows(sql.find(sql.ENTITIES, address))
        return _seen(found[0], kind_of(address)) if found else None

    def command_shares(self, command_id: str, limit: int = 2) -> list[str]:
        """The ids of the shares that a request of this command id was made of: one, unless ids clash."""
        self.catch_up()
        values = [searchable(command_id), _limited(limit)]
        return [row["share_id"] for row in self._store.rows(sql.Query(sql.COMMAND, values))]

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
        """Snapshots, the oldest first."""
        _known("status", status, SnapshotStatus)
        filters = {"share_id": share_id, "name": name, "status": status, "project_id": project_id}
        rows, next_marker = self._page(sql.SNAPSHOTS, filters, limit, marker)
        return Page(tuple(Snapshot.model_validate_json(row["value"]) for row in rows), next_marker)

    def count_snapshots(
        self, *, share_id: str | None = None, project_id: str | None = None
    ) -> dict[str, int]:
        """How many there are of each status."""
        return self._count(sql.SNAPSHOTS, {"share_id": share_id, "project_id": project_id})

    def snapshot(self, snapshot_id: str) -> Snapshot | None:
        """One snapshot; raises `Ambiguous` when several shares have one of that id."""
        row = self._one(sql.SNAPSHOTS, snapshot_id, "snapshot")
        return None if row is None else Snapshot.model_validate_json(row["value"])

    def snapshot_share(self, item_id: str) -> str | None:
        """The id of the share that has this snapshot."""
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
        """Access rules, share by share."""
        _known("state", state, RuleState)
        filters = {"share_id": share_id, "state": state}
        rows, next_marker = self._page(sql.RULES, filters, limit, marker)
        return Page(tuple(_rule(row) for row in rows), next_marker)

    def count_rules(self, *, share_id: str | None = None) -> dict[str, int]:
        """How many there are of each state."""
        return self._count(sql.RULES, {"share_id": share_id})

    def rule_share(self, item_id: str) -> str | None:
        """The id of the share that has this access rule."""
        row = self._one(sql.RULES, item_id, "access rule")
        return None if row is None else str(row["share_id"])

    # -- inside ----------------------------------------------------------------------------------------
    def _page(
        self, table: sql.Table, filters: dict[str, str | None], limit: int, marker: str | None
    ) -> tuple[list[Any], str | None]:
        after = _after(marker, table)
        query = sql.page(table, filters, after, _limited(limit))
        self.catch_up()
        rows = self._store.rows(query)
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], ",".join(rows[limit - 1][column] for column in table.order)

    def _count(self, table: sql.Table, filters: dict[str, str | None]) -> dict[str, int]:
        self.catch_up()
        return {row["kind"]: row["n"] for row in self._store.rows(sql.count(table, filters))}

    def _one(self, table: sql.Table, item_id: str, kind: str) -> Any:
        self.catch_up()
        found = self._store.rows(sql.find(table, item_id))
        if len(found) > 1:
            shares = ", ".join(row["share_id"] for row in found)
            raise Ambiguous(
                f"several shares have a {kind} {item_id}: {shares}; say which",
                field="id", value=item_id,
            )  # fmt: skip
        return found[0] if found else None


def _seen(row: Any, kind: str) -> Any:
    module: Any = AGGREGATES[kind]
    return module.view(read_state(row, kind))


def _rule(row: Any) -> ShareRule:
    rule = AccessRule.model_validate_json(row["value"])
    return ShareRule(share_id=row["share_id"], **dict(rule))


def _known(field: str, value: str | None, words: Any) -> None:
    if value is not None and value not in get_args(words):
        raise InvalidRequest(
            f"{field}: {value!r} is none of {', '.join(get_args(words))}", field=field, value=value
        )


def _limited(limit: int) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(
            f"limit: {limit!r} is not 1 to {MAX_LIMIT}", field="limit", value=limit
        )
    return limit


def _after(marker: str | None, table: sql.Table) -> list[str]:
    """The order of the last row of the page before."""
    after = [] if marker is None else marker.split(",")
    if after and len(after) != len(table.order):
        raise InvalidRequest(
            f"marker: {marker!r} is not the next_marker of a page of these",
            field="marker",
            value=marker,
        )
    return after
