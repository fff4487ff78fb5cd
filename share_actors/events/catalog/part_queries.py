"""Lists, counts and look-ups of the snapshots and access rules of shares."""

from __future__ import annotations

from typing import Any

from share_actors.events.catalog import sql
from share_actors.events.catalog.pages import Pages
from share_actors.events.catalog.parameters import check_value
from share_actors.values import (
    AccessRule,
    Counts,
    Page,
    RuleState,
    ShareRule,
    Snapshot,
    SnapshotStatus,
)


class PartQueries(Pages):
    """Queries on the parts of shares; each first applies all events that the log has."""

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
        snapshots = (Snapshot.model_validate_json(row["value"]) for row in rows)
        return Page(tuple(snapshots), next_marker, self._behind)

    def count_snapshots(
        self, *, share_id: str | None = None, project_id: str | None = None
    ) -> Counts:
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
        return Page(tuple(_rule(row) for row in rows), next_marker, self._behind)

    def count_rules(self, *, share_id: str | None = None) -> Counts:
        """Count them by state."""
        return self._count(sql.RULES, {"share_id": share_id}, self._scope(sql.RULES))

    def rule_share(self, item_id: str) -> str | None:
        """Return the id of the share of an access rule; raises `Ambiguous` if several shares have this id."""
        row = self._one(sql.RULES, item_id, "access rule")
        return None if row is None else str(row["share_id"])


def _rule(row: Any) -> ShareRule:
    rule = AccessRule.model_validate_json(row["value"])
    return ShareRule(share_id=row["share_id"], **dict(rule))
