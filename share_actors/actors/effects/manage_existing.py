"""Taking over what a backend holds already (`manage_existing`): the driver's answer, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.base import ManageInvalidShare, ShareDriver
from share_actors.events.decider import Command
from share_actors.events.share.manage import ConfirmManaged
from share_actors.events.share.snapshot_messages import ConfirmSnapshotManaged
from share_actors.values import MAX_SIZE_GIB, ExportLocation, RequestContext, Share, Snapshot


def taken(
    driver: ShareDriver, context: RequestContext, held: Share, options: Mapping[str, Any]
) -> Command:
    """*held* as the driver found it; raises `ManageInvalidShare` when its answer makes no sense."""
    told = driver.manage_existing(held, options)
    size = _size(told, f"share {held.id}")
    exports = told.get("export_locations")
    if exports is None:
        exports = driver.ensure_share(context, held.replace(size=size)) or ()
    locations = tuple(map(_location, exports))
    return ConfirmManaged(size=size, export_locations=locations, pool=driver.get_pool(held))


def managed_snapshot_outcome(
    driver: ShareDriver, held: Snapshot, options: Mapping[str, Any]
) -> Command:
    """As `taken`, of a snapshot."""
    told = driver.manage_existing_snapshot(held, options)
    where = told.get("provider_location") if isinstance(told, Mapping) else None
    size = _size(told, f"snapshot {held.id}")
    return ConfirmSnapshotManaged(snapshot_id=held.id, size=size, provider_location=where)


def _size(told: Any, what: str) -> int:
    size = told.get("size") if isinstance(told, Mapping) else None
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE_GIB:
        raise ManageInvalidShare(f"{what}: the driver told of no size in GiB, but: {told!r:.200}")
    return size


def _location(told: Any) -> ExportLocation:
    return told if isinstance(told, ExportLocation) else ExportLocation(path=str(told))
