"""Manage and unmanage in the driver `dummy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.base import ManageInvalidShare
from share_actors.drivers.dummy.base import NO_CONTEXT, DummyBase
from share_actors.drivers.dummy.faults import end
from share_actors.drivers.fence import current_attempt
from share_actors.drivers.filesystem.manage_options import names_snapshot
from share_actors.values import Share, Snapshot


class DummyManage(DummyBase):
    """The manage and unmanage methods of `DummyDriver`."""

    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Adopt any share; its size is `driver_options["size"]` in GiB, default 1.

        With `driver_options["snapshot"]` it is made of the snapshot at `driver_options["path"]`.
        """
        size = _size(driver_options, 1)
        with self._changing("manage_existing", current_attempt(), share.id):
            if self._backend is not None:
                if names_snapshot(driver_options):
                    path = str(driver_options.get("path")).removeprefix("dummy:/")
                    share_id, _, snapshot_id = path.partition("@")
                    self._backend.drop_snapshot(share_id, snapshot_id)
                self._backend.add_share(share.id, size, pool=self.get_pool(share))
        return {"size": size}

    def manage_existing_with_server(
        self, share: Share, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """As `manage_existing`, on a share server."""
        size, server = _size(driver_options, 1), share_server["id"]
        with self._changing("manage_existing", current_attempt(), share.id):
            if self._backend is not None:
                self._backend.add_share(share.id, size, pool=self.get_pool(share), server=server)
        return {"size": size}

    def unmanage_with_server(self, share: Share, share_server: Any = None) -> None:
        """As `unmanage`."""
        self.unmanage(share)

    def manage_existing_snapshot_with_server(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any], share_server: Any = None
    ) -> dict[str, Any]:
        """As `manage_existing_snapshot`."""
        return self.manage_existing_snapshot(snapshot, driver_options)

    def unmanage_snapshot_with_server(self, snapshot: Snapshot, share_server: Any = None) -> None:
        """As `unmanage_snapshot`."""
        self.unmanage_snapshot(snapshot)

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """The size that `manage_existing` would return."""
        exits = self._begin("preview_manage", NO_CONTEXT, share.id)
        end(exits)
        return {"size": _size(driver_options, 1)}

    def unmanage(self, share: Share) -> None:
        """Leave the share as it is."""
        with self._changing("unmanage", current_attempt(), share.id):
            pass

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adopt any snapshot; its size is `driver_options["size"]` in GiB, default `snapshot.size`."""
        ids = (snapshot.share_id, snapshot.id)
        with self._changing("manage_existing_snapshot", current_attempt(), *ids):
            if self._backend is not None:
                self._backend.add_snapshot(*ids)
        return {"size": _size(driver_options, snapshot.size)}

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Remove the access rules of the snapshot, and leave it as it is otherwise."""
        ids = (snapshot.share_id, snapshot.id)
        with self._changing("unmanage_snapshot", current_attempt(), *ids):
            if self._backend is not None:
                record = self._backend.snapshots().get(snapshot.id, {})
                if record.get("rules"):
                    self._backend.change_snapshot(*ids, rules={})


def _size(driver_options: Mapping[str, Any], default: int) -> int:
    """The option `size`, also as text; raises `ManageInvalidShare` if it is not a number."""
    try:
        return int(driver_options.get("size", default))
    except (TypeError, ValueError, OverflowError) as error:
        raise ManageInvalidShare(f"driver_options['size']: {error}") from None
