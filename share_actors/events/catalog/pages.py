"""What all queries on the catalog are made of: pages, counts, single rows, and what a caller may see."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

from share_actors.errors import Ambiguous, NotFound
from share_actors.events.catalog import sql
from share_actors.events.catalog.parameters import after_marker, check_limit
from share_actors.events.catalog.projection import Projection
from share_actors.events.catalog.rows import searchable
from share_actors.events.visibility import seen_by
from share_actors.policy import Caller, Role
from share_actors.values import Counts


class Pages(Projection):
    """The parts of queries, as one caller."""

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

    def _count(self, table: sql.Table, filters: sql.Filters, scope: sql.Scope) -> Counts:
        self.catch_up()
        query = sql.count(table, filters, scope)
        counts = {row["kind"]: int(row["n"]) for row in self._store.rows(query)}
        return Counts(counts, self._behind)

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
