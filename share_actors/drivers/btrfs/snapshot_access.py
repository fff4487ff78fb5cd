"""Snapshots of the driver `btrfs` that clients mount by themselves, under access rules of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from share_actors.drivers.base import UnsupportedAccess
from share_actors.drivers.btrfs.access import BtrfsAccess, checked_client, clients_of
from share_actors.drivers.btrfs.snapshots import snapshot_name
from share_actors.drivers.rule_updates import RuleChange, RuleUpdates
from share_actors.values import AccessRule, ExportLocation, RequestContext, Snapshot


class BtrfsSnapshotAccess(BtrfsAccess):
    """The methods of the ability `MountableSnapshots`.

    A snapshot with rules is mounted and exported as SHARE@SNAPSHOT, by the protocol of its share; one without
    is not. The subvolume itself is read-only, and so is the access of every client.
    """

    def snapshot_update_access(
        self,
        context: RequestContext,
        snapshot: Snapshot,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        share_server: Any = None,
    ) -> RuleUpdates:
        """Export the snapshot to exactly *access_rules*; the other lists are not needed.

        Without any client its export is removed. Returns which rules failed, and whom the server of CIFS
        shares cut off.
        """
        name = snapshot_name(snapshot)
        clients, failed = clients_of(snapshot, access_rules, checked_reader)
        operation = f"set access of snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, context) as fence:
            if not clients:
                self._withdraw_snapshot(name, fence)
                return RuleChange(failed)
            self._snapshot_must_exist(name)
            return RuleChange(failed, self._serve(name, fence, clients))

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Sequence[ExportLocation]:
        """Where clients mount the snapshot; none if it is not exported."""
        name = snapshot_name(snapshot)
        operation = f"locate snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, changes=False):
            if self._exporter.recorded(name) is None:
                return ()
            return self._exporter.locations(name)


def checked_reader(snapshot: Snapshot, rule: AccessRule) -> str:
    """The client that *rule* lets read *snapshot*; raises `UnsupportedAccess` if it is to write."""
    if rule.access_level != "ro":
        raise UnsupportedAccess(
            f"access_level {rule.access_level!r} of rule {rule.id}: a snapshot can only be read, 'ro'"
        )
    return checked_client(snapshot, rule)
