"""Managing what a backend has already (`manage_existing`): the driver's result, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.base import ManageInvalidShare, ShareDriver
from share_actors.events.decider import Command
from share_actors.events.share.manage import ConfirmManaged
from share_actors.events.share.snapshot_messages import ConfirmSnapshotManaged
from share_actors.values import MAX_SIZE_GIB, ExportLocation, RequestContext, Share, Snapshot


def managed_outcome(
    driver: ShareDriver, context: RequestContext, share: Share, options: Mapping[str, Any]
) -> Command:
    """Size, exports and pool of *share* as the driver found them.

    Raises `ManageInvalidShare` if the driver returns no valid size.
    """
    result = driver.manage_existing(share, options)
    size = _size(result, f"share {share.id}")
    exports = result.get("export_locations")
    if exports is None:
        exports = driver.ensure_share(context, share.replace(size=size)) or ()
    locations = tuple(map(_location, exports))
    return ConfirmManaged(size=size, export_locations=locations, pool=driver.get_pool(share))


def managed_snapshot_outcome(
    driver: ShareDriver, snapshot: Snapshot, options: Mapping[str, Any]
) -> Command:
    """Size and location of *snapshot* as the driver found them; raises as `managed_outcome` does."""
    result = driver.manage_existing_snapshot(snapshot, options)
    location = result.get("provider_location") if isinstance(result, Mapping) else None
    size = _size(result, f"snapshot {snapshot.id}")
    return ConfirmSnapshotManaged(snapshot_id=snapshot.id, size=size, provider_location=location)


def _size(result: Any, subject: str) -> int:
    size = result.get("size") if isinstance(result, Mapping) else None
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE_GIB:
        raise ManageInvalidShare(
            f"{subject}: the driver returned no valid size in GiB: {result!r:.200}"
        )
    return size


def _location(export: Any) -> ExportLocation:
    return export if isinstance(export, ExportLocation) else ExportLocation(path=str(export))
