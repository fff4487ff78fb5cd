"""Access rules of snapshots in the driver `dummy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from share_actors.drivers.dummy.access import DummyAccess, rule_record
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.values import AccessRule, ExportLocation, RequestContext, Snapshot


class DummySnapshotAccess(DummyAccess):
    """The methods of the ability `MountableSnapshots`."""

    def snapshot_update_access(
        self,
        context: RequestContext,
        snapshot: Snapshot,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        share_server: Any = None,
    ) -> RuleUpdates:
        """Record the rules, except those that `update_access` would refuse, and those that let write."""
        ids = (snapshot.share_id, snapshot.id)
        with self._changing("snapshot_update_access", context, *ids):
            failed = {r.id: reason for r in access_rules if (reason := self._refusal(r))}
            rules = {r.id: rule_record(r) for r in access_rules if r.id not in failed}
            if self._backend is not None and (rules or self._has_snapshot(snapshot)):
                self._backend.change_snapshot(*ids, rules=rules)
        return failed

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Sequence[ExportLocation]:
        """One location while the snapshot has rules; without `directory`, always."""
        if self._backend is not None:
            if not self._has_snapshot(snapshot):
                return ()
            if not self._backend.snapshot(snapshot.share_id, snapshot.id).get("rules"):
                return ()
        return (ExportLocation(path=f"dummy:/{snapshot.share_id}@{snapshot.id}", preferred=True),)

    def _has_snapshot(self, snapshot: Snapshot) -> bool:
        return self._backend is not None and snapshot.id in self._backend.snapshots()

    def _refusal(self, rule: AccessRule) -> str | None:
        if rule.access_level != "ro":
            return f"access_level {rule.access_level!r} is refused: a snapshot can only be read"
        return self._refusal_reason(rule)
