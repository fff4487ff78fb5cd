"""Manage and unmanage in the driver `local`: adopt directories below the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.base import ManageInvalidShare
from share_actors.drivers.fence import Fence, current_attempt
from share_actors.drivers.filesystem.manage_options import SNAPSHOT, names_snapshot
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.tree import Sizes, measure
from share_actors.drivers.local.base import GIB, LocalBase
from share_actors.drivers.local.layout import snapshot_name
from share_actors.values import Share, Snapshot


class LocalManage(LocalBase):
    """The manage and unmanage methods of `LocalDriver`."""

    public_manage_options = frozenset({"path", SNAPSHOT})

    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt the directory `driver_options["path"]`, below the root, and move it to its place.

        With `driver_options["snapshot"]` it may be a snapshot of a share that is not there.
        Modes, ACLs and owners of its content that would grant access are replaced: there are no rules yet.
        Returns `size`, its allocated space in whole GiB. Raises `DriverError` for a path outside the root,
        of another share, or that is not a directory.
        """
        path = _path_option(driver_options)
        with self._share_lock("manage share", share.id, current_attempt()) as fence:
            if not self._layout.exists("shares", share.id):
                snapshot = names_snapshot(driver_options)
                self._layout.adopt(path, share.id, snapshot=snapshot, check=fence.check)
            if self._layout.size(share.id) is None:
                self._remove_access(share.id, fence)
            size = _whole_gib(self._measure_share(share.id))
            fence.check()
            self._layout.record_size(share.id, size)
        return {"size": size}

    def check_manage(self, share: Share, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` unless there is a directory to adopt; its content is not measured."""
        path = _path_option(driver_options)
        with os_errors(f"manage {path}"):
            self._layout.adoptable(path, snapshot=names_snapshot(driver_options))

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """The directory that would be adopted, with its `size` in GiB; raises as `manage_existing` does."""
        path = _path_option(driver_options)
        with os_errors(f"preview {path}"):
            directory = self._layout.adoptable(path, snapshot=names_snapshot(driver_options))
            with self._layout.folder(*directory.relative_to(self._options.root).parts) as fd:
                sizes = measure(fd)
        return {"path": str(directory), "size": _whole_gib(sizes), "bytes": sizes.allocated}

    def unmanage(self, share: Share) -> None:
        """Leave the directory in place, without access rules and recorded size; it can be managed again."""
        with self._share_lock("unmanage share", share.id, current_attempt()) as fence:
            if self._layout.exists("shares", share.id):
                self._remove_access(share.id, fence)
            fence.check()
            self._layout.forget(share.id)

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt the directory `snapshot.provider_location`, below the root, and move it to its place."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        operation = f"manage snapshot {snapshot.id} of share"
        with self._share_lock(operation, snapshot.share_id, current_attempt()) as fence:
            if not self._layout.exists("snapshots", name):
                location = snapshot.provider_location or ""
                self._layout.adopt(location, name, area="snapshots", check=fence.check)
        path = str(self._layout.path("snapshots", name))
        return {"size": max(1, snapshot.size), "provider_location": path}

    def check_manage_snapshot(self, snapshot: Snapshot, driver_options: Mapping[str, Any]) -> None:
        """Raise `ManageInvalidShare` unless there is a directory to adopt, or at the snapshot's place."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with os_errors(f"manage {snapshot.provider_location}"):
            if not self._layout.exists("snapshots", name):
                self._layout.adoptable(snapshot.provider_location or "")

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Leave the directory in place."""
        snapshot_name(snapshot.share_id, snapshot.id)

    def _remove_access(self, share_id: str, fence: Fence) -> None:
        with self._layout.folder("shares", share_id) as fd:
            self._set_grants(share_id, fd, {}, fence)


def _path_option(driver_options: Mapping[str, Any]) -> str:
    if "path" not in driver_options:
        raise ManageInvalidShare("driver_options['path'] is missing: it must name a directory")
    path = driver_options["path"]
    if not isinstance(path, str):
        raise ManageInvalidShare(f"driver_options['path'] must name a directory, not {path!r}")
    return path


def _whole_gib(sizes: Sizes) -> int:
    return max(1, -(-sizes.allocated // GIB))
