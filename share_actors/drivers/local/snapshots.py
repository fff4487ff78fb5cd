"""Snapshots of the driver `local`: copies of a share's directory."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.base import ShareSnapshotIsBusy
from share_actors.drivers.local.base import LocalBase
from share_actors.drivers.local.layout import snapshot_name
from share_actors.values import RequestContext, Snapshot


class LocalSnapshots(LocalBase):
    """The snapshot methods of `LocalDriver`."""

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        """Copy the share's directory; return the path of the copy."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._share_lock(
            f"create snapshot {snapshot.id} of share", snapshot.share_id, context
        ) as fence:
            if not self._layout.exists("snapshots", name):
                self._copy("shares", snapshot.share_id, "snapshots", name, fence)
        return str(self._layout.path("snapshots", name))

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Remove the copy; raises `ShareSnapshotIsBusy` while any process creates a share from it."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._share_lock(
            f"delete snapshot {snapshot.id} of share", snapshot.share_id, context
        ) as fence:
            try:
                with self._layout.lock(name, wait=False) as lock:
                    self._layout.remove("snapshots", name, fence.check)
                    lock.discard()
            except BlockingIOError:
                raise ShareSnapshotIsBusy(
                    f"snapshot {snapshot.id} is in use: a share is being created from it"
                ) from None
