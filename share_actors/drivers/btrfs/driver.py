"""The driver `btrfs`: shares are subvolumes of a btrfs filesystem, exported over NFS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from share_actors.drivers.base import Exports, RefusedByBackend
from share_actors.drivers.btrfs.backend import BtrfsBackend
from share_actors.drivers.btrfs.image import GIB
from share_actors.drivers.btrfs.listing import BtrfsListing
from share_actors.drivers.btrfs.manage import BtrfsManage
from share_actors.drivers.btrfs.pool import Area
from share_actors.drivers.btrfs.revert import BtrfsRevert
from share_actors.drivers.btrfs.snapshot_access import BtrfsSnapshotAccess
from share_actors.drivers.btrfs.snapshots import snapshot_name
from share_actors.drivers.fence import Fence
from share_actors.values import RequestContext, Share, Snapshot

DELETED: tuple[Area, ...] = ("making", "before", "shares")
NESTING: tuple[Area, ...] = ("shares", "before")


class BtrfsDriver(BtrfsBackend, BtrfsSnapshotAccess, BtrfsRevert, BtrfsManage, BtrfsListing):
    """Shares as subvolumes with a limit, which the filesystem enforces.

    Each is mounted by itself, so that no client of one share can reach another by a forged file handle.
    """

    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    """Of an object without `cifs_users`: NFS alone, and `ip` as the only type of rules."""
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user")
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
        "NFS": {"ip": ("rw", "ro")},
        "CIFS": {"user": ("rw", "ro")},
    }

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create an empty subvolume, limited to the share's size, and export it to nobody."""
        with self._share_lock("create share", share.id, context) as fence:
            self._create(share, None, fence)
        return self._exporter.locations(share.id)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Create a writable copy of the snapshot, which shares its data blocks, with a limit of its own."""
        name = snapshot_name(snapshot)
        with (
            self._share_lock("create share", share.id, context) as fence,
            self._lock(name, shared=True),
        ):
            if not self._pool.exists("shares", share.id):
                self._snapshot_must_exist(name)
            self._create(share, name, fence)
        return self._exporter.locations(share.id)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Remove the exports, then destroy the subvolume and the state before a revert; snapshots stay."""
        with self._share_lock("delete share", share.id, context) as fence:
            self._refuse_nested(share.id)
            for name in self._exported_snapshots(share.id):
                self._withdraw_snapshot(name, fence)
            self._withdraw(share.id, fence)
            for area in DELETED:
                self._pool.destroy(area, share.id, fence.check)
            self._pool.sync()

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Raise the limit; clients can use the space at once."""
        with self._share_lock("extend share", share.id, context, must_exist=True) as fence:
            fence.check()
            self._pool.set_limit(share.id, new_size * GIB)
            self._pool.sync()

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Lower the limit; raises `RefusedByBackend`, and keeps the limit, if more is used."""
        with self._share_lock("shrink share", share.id, context, must_exist=True) as fence:
            before = self._pool.limit(share.id)
            self._refuse_excess(share.id, new_size)
            fence.check()
            self._pool.set_limit(share.id, new_size * GIB)
            try:
                self._refuse_excess(share.id, new_size)  # clients wrote meanwhile
            except RefusedByBackend:
                self._pool.set_limit(share.id, before)
                raise

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Set its size, and mount and export the share and its snapshots again, with the rules on file.

        Raises `DriverError` if the share is lost.
        """
        with self._share_lock("ensure share", share.id, context, must_exist=True) as fence:
            fence.check()
            self._set_protocol(share)
            self._finish_revert(share.id, fence)
            if self._pool.limit(share.id) != share.size * GIB:
                self._pool.set_limit(share.id, share.size * GIB)
            self._serve(share.id, fence)
            for name in filter(self._exists, self._exported_snapshots(share.id)):
                self._serve(name, fence)
        return self._exporter.locations(share.id)

    # ------------------------------------------------------------------------------------------
    def _create(self, share: Share, source: str | None, fence: Fence) -> None:
        fence.check()
        self._set_protocol(share)
        if not self._pool.exists("shares", share.id):
            self._pool.make(share.id, share.size * GIB, source, fence.check)
            fence.check()
            self._pool.complete(share.id)
            self._pool.sync()
        self._serve(share.id, fence)

    def _refuse_nested(self, share_id: str) -> None:
        """Raise `RefusedByBackend` before anything is changed, if a subvolume is inside the share."""
        for area in NESTING:
            nested = self._pool.nested(area, share_id) if self._pool.exists(area, share_id) else []
            if nested:
                raise RefusedByBackend(
                    f"share {share_id} has a subvolume inside, {nested[0]}: nothing was changed; delete or"
                    " move that subvolume, and repeat the deletion"
                )

    def _refuse_excess(self, share_id: str, size: int) -> None:
        self._pool.sync()  # what was just written counts at a commit
        used = self._pool.used(share_id)
        if used > size * GIB:
            raise RefusedByBackend(
                f"share {share_id} uses {used / GIB:.2f} GiB ({used} bytes), more than {size} GiB: its size"
                " was not changed"
            )
