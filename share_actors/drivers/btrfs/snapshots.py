"""Snapshots of the driver `btrfs`: read-only subvolumes."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.base import DriverError, ShareSnapshotIsBusy
from share_actors.drivers.btrfs.base import BtrfsBase
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.values import RequestContext, Snapshot


def snapshot_name(snapshot: Snapshot) -> str:
    """The name of the snapshot's subvolume; ids cannot contain `@`."""
    share, own = checked_id("share", snapshot.share_id), checked_id("snapshot", snapshot.id)
    return f"{share}@{own}"


class BtrfsSnapshots(BtrfsBase):
    """The snapshot methods of `BtrfsDriver`."""

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        """Take the snapshot, which is atomic, unless it exists; return its path."""
        name = snapshot_name(snapshot)
        operation = f"create snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, context) as fence:
            if not self._pool.exists("snapshots", name):
                self._must_exist(snapshot.share_id)
                fence.check()
                self._pool.take_snapshot(snapshot.share_id, name)
                self._pool.sync()
        return str(self._pool.location("snapshots", name))

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Remove the export, then destroy the subvolume.

        Raises `ShareSnapshotIsBusy`, and changes nothing, while a share is made from it.
        """
        name = snapshot_name(snapshot)
        operation = f"delete snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, context) as fence:
            try:
                with self._lock(name, wait=False) as lock:
                    self._withdraw_snapshot(name, fence)
                    self._pool.destroy("snapshots", name, fence.check)
                    self._pool.sync()
                    lock.discard()
            except BlockingIOError:
                raise ShareSnapshotIsBusy(
                    f"snapshot {snapshot.id} is in use: a share is being created from it"
                ) from None

    def _snapshot_must_exist(self, name: str) -> None:
        if not self._pool.exists("snapshots", name):
            raise DriverError(f"{self._pool.location('snapshots', name)} does not exist")
