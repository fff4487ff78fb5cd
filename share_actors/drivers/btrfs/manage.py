"""Manage and unmanage in the driver `btrfs`: adopt subvolumes of the filesystem."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from share_actors.drivers.base import ManageInvalidShare
from share_actors.drivers.btrfs import ioctls
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs.image import GIB
from share_actors.drivers.btrfs.pool import AREAS
from share_actors.drivers.btrfs.records import CLIENTS
from share_actors.drivers.btrfs.snapshots import BtrfsSnapshots, snapshot_name
from share_actors.drivers.fence import Fence, current_attempt
from share_actors.drivers.filesystem.manage_options import (
    SNAPSHOT,
    is_snapshot_of,
    names_snapshot,
    owner_by_name,
)
from share_actors.drivers.filesystem.own_files import is_own_name
from share_actors.drivers.filesystem.tree import opened
from share_actors.values import Share, Snapshot

ADVICE = "give the path of a btrfs subvolume"
Names = tuple[str, ...]


class BtrfsManage(BtrfsSnapshots):
    """The manage and unmanage methods of `BtrfsDriver`."""

    public_manage_options = frozenset({"path", SNAPSHOT})

    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt the subvolume `driver_options["path"]`, below the pool, and move it to its place.

        With `driver_options["snapshot"]` it may be a snapshot of a share that is not there, which becomes
        writable. Returns `size`: its limit, or else its use, in whole GiB, which becomes its limit. It is
        exported to nobody. Raises `ManageInvalidShare` for what cannot be adopted.
        """
        path, snapshot = _path_option(driver_options), names_snapshot(driver_options)
        with self._share_lock("manage share", share.id, current_attempt()) as fence:
            if not self._pool.exists("shares", share.id):
                self._take_in(self._adoptable(path, snapshot=snapshot), share.id, fence)
            with self._pool.folder("shares", share.id) as fd:
                fence.check()
                ioctls.set_read_only(fd, False)
            size = self._size_to_manage("shares", share.id)
            fence.check()
            self._set_protocol(share)
            self._pool.set_limit(share.id, size * GIB)
            self._serve(share.id, fence)
        return {"size": size}

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """The subvolume that would be adopted, and its `size` in GiB; raises as `manage_existing` does."""
        path = _path_option(driver_options)
        with btrfs_errors(f"preview {path}"):
            self._must_run(changes=False)
            names = self._adoptable(path, snapshot=names_snapshot(driver_options))
            return {
                "path": str(self._pool.path.joinpath(*names)),
                "size": self._size_to_manage(*names),
            }

    def check_manage(self, share: Share, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` unless there is a subvolume to adopt."""
        self.preview_manage(share, driver_options)

    def unmanage(self, share: Share) -> None:
        """Remove the export and the mount; the subvolume stays in place and can be managed again."""
        with self._share_lock("unmanage share", share.id, current_attempt()) as fence:
            for name in self._exported_snapshots(share.id):
                self._withdraw_snapshot(name, fence)
            self._withdraw(share.id, fence)

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt the subvolume `snapshot.provider_location`: move it to its place, and make it read-only."""
        name = snapshot_name(snapshot)
        operation = f"manage snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, current_attempt()) as fence:
            self._withdraw_snapshot(name, fence)  # it was forgotten with clients
            if not self._pool.exists("snapshots", name):
                names = self._adoptable(snapshot.provider_location or "", read_only=True)
                self._move(names, "snapshots", name, fence)
            with self._pool.folder("snapshots", name) as fd:
                fence.check()
                ioctls.set_read_only(fd, True)
            self._pool.sync()
        path = str(self._pool.location("snapshots", name))
        return {"size": max(1, snapshot.size), "provider_location": path}

    def check_manage_snapshot(self, snapshot: Snapshot, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` unless there is a subvolume to adopt, or at the snapshot's place."""
        name = snapshot_name(snapshot)
        with btrfs_errors(f"manage {snapshot.provider_location}"):
            self._must_run(changes=False)
            if not self._pool.exists("snapshots", name):
                self._adoptable(snapshot.provider_location or "", read_only=True)

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Remove its export, if there is one; the subvolume stays in place."""
        name = snapshot_name(snapshot)
        operation = f"unmanage snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, current_attempt()) as fence:
            self._withdraw_snapshot(name, fence)

    # ------------------------------------------------------------------------------------------
    def _take_in(self, names: Names, share_id: str, fence: Fence) -> None:
        if names[0] == "snapshots":
            self._withdraw_snapshot(names[1], fence)  # its share was lost with clients
        self._move(names, "shares", share_id, fence)

    def _adoptable(self, path: str, *, read_only: bool = False, snapshot: bool = False) -> Names:
        """The names from the top to the subvolume *path*; *read_only*: whether it may be read-only.

        *snapshot*: it may also be a snapshot of a share that is not there. Raises `ManageInvalidShare` if it
        cannot be adopted.
        """
        names = self._checked_names(path, snapshot=snapshot)
        read_only = read_only or snapshot
        try:
            with self._pool.folder(*names) as fd:
                if not ioctls.is_subvolume(fd):
                    raise ManageInvalidShare(
                        f"path {path!r} is a directory, not a subvolume: {ADVICE}"
                    )
                if ioctls.is_read_only(fd) and not read_only:
                    raise ManageInvalidShare(
                        f"path {path!r} is read-only: manage it as a snapshot, or run `btrfs property set"
                        f" {self._pool.path.joinpath(*names)} ro false`"
                    )
        except (FileNotFoundError, NotADirectoryError):
            raise ManageInvalidShare(f"path {path!r} does not exist in {self._pool.path}") from None
        if nested := self._pool.nested(*names):
            raise ManageInvalidShare(
                f"path {path!r} has a subvolume inside, {nested[0]}: NFS clients could not read it; delete or"
                " move that subvolume first"
            )
        return names

    def _checked_names(self, path: str, *, snapshot: bool) -> Names:
        try:
            names = PurePosixPath(self._pool.path, path).relative_to(self._pool.path).parts
        except ValueError:
            names = ()
        areas = {"shares", "snapshots"} if snapshot else {"shares"}
        inside = names[1:] if names[:1] in {(area,) for area in areas} else names
        if not inside or ".." in names or "\0" in path or names[0] in set(AREAS) - areas:
            raise ManageInvalidShare(
                f"path {path!r} is not a subvolume that can be managed: {ADVICE}, below {self._pool.path}"
            )
        if names[0] == "shares" and self._has_clients(names[1]):
            raise ManageInvalidShare(f"path {path!r} belongs to the share {names[1]}")
        owner = owner_by_name(names)
        if owner and self._pool.exists("shares", owner):
            raise ManageInvalidShare(f"path {path!r} {is_snapshot_of(owner)}")
        return names

    def _has_clients(self, name: str) -> bool:
        if not is_own_name(name):
            return False
        return self._exporter.recorded(name) is not None or bool(self._records.read(name, CLIENTS))

    def _move(self, names: Names, area: str, name: str, fence: Fence) -> None:
        """Move the subvolume; a read-only one, which cannot be moved, is made writable first."""
        *parents, last = names
        with (
            self._pool.folder(*parents) as source,
            self._pool.folder(area) as target,
            opened(source, (last,)) as fd,
        ):
            fence.check()
            try:
                os.rename(last, name, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                if error.errno != errno.EROFS or not ioctls.is_read_only(fd):
                    raise
                fence.check()
                ioctls.set_read_only(fd, False)
                fence.check()
                os.rename(last, name, src_dir_fd=source, dst_dir_fd=target)
        self._pool.sync()

    def _size_to_manage(self, *names: str) -> int:
        """The limit of the subvolume, or else its use, in whole GiB; at least its use, and at least 1."""
        self._pool.sync()
        used, limit = self._pool.use_and_limit(*names)
        return max(1, -(-max(used, limit or 0) // GIB))


def _path_option(driver_options: Mapping[str, Any]) -> str:
    path = driver_options.get("path")
    if not isinstance(path, str) or not path:
        raise ManageInvalidShare(
            f"driver_options['path'] is {path!r}: it must name a subvolume of the backend's filesystem"
        )
    return path
