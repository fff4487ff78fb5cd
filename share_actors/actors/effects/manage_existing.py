"""Managing what a backend has already: the driver's result, checked; and unmanaging it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.drivers.abilities import ManagesOnServers
from share_actors.drivers.base import ManageInvalidShare, NotSupported, ShareDriver
from share_actors.drivers.checks.returned import read_exports
from share_actors.events.decider import Command
from share_actors.events.share.manage import ConfirmManaged
from share_actors.events.share.snapshot.messages import ConfirmSnapshotManaged
from share_actors.values import (
    MAX_SIZE_GIB,
    RequestContext,
    Share,
    ShareServer,
    Snapshot,
)


def managed_outcome(
    driver: ShareDriver,
    context: RequestContext,
    share: Share,
    options: Mapping[str, Any],
    server: ShareServer | None,
) -> Command:
    """Size, exports and pool of *share*, which may be on a *server*, as the driver found them.

    Raises `ManageInvalidShare` if the driver returns no valid size.
    """
    if server is None:
        result = driver.manage_existing(share, options)
    else:
        result = _with_servers(driver).manage_existing_with_server(share, options, server)
    size = _size(result, f"share {share.id}")
    exports = result.get("export_locations")
    if exports is None:
        exports = driver.ensure_share(context, share.replace(size=size), server) or ()
    locations = read_exports("manage_existing", exports)
    return ConfirmManaged(size=size, export_locations=locations, pool=driver.get_pool(share))


def managed_snapshot_outcome(
    driver: ShareDriver,
    snapshot: Snapshot,
    options: Mapping[str, Any],
    server: ShareServer | None,
) -> Command:
    """Size and location of *snapshot* as the driver found them; raises as `managed_outcome` does."""
    if server is None:
        result = driver.manage_existing_snapshot(snapshot, options)
    else:
        manage = _with_servers(driver).manage_existing_snapshot_with_server
        result = manage(snapshot, options, server)
    location = result.get("provider_location") if isinstance(result, Mapping) else None
    size = _size(result, f"snapshot {snapshot.id}")
    return ConfirmSnapshotManaged(snapshot_id=snapshot.id, size=size, provider_location=location)


def unmanage(driver: ShareDriver, share: Share, server: ShareServer | None) -> None:
    """Have the driver release *share*, which may be on a *server*."""
    if server is None:
        driver.unmanage(share)
    else:
        _with_servers(driver).unmanage_with_server(share, server)


def unmanage_snapshot(driver: ShareDriver, snapshot: Snapshot, server: ShareServer | None) -> None:
    """Have the driver release *snapshot*, whose share may be on a *server*."""
    if server is None:
        driver.unmanage_snapshot(snapshot)
    else:
        _with_servers(driver).unmanage_snapshot_with_server(snapshot, server)


def _with_servers(driver: ShareDriver) -> ManagesOnServers:
    if not isinstance(driver, ManagesOnServers):
        raise NotSupported(
            f"{type(driver).__name__} cannot manage or unmanage what is on share servers;"
            " `share forget` removes a share from the system without a call of the driver"
        )
    return driver


def _size(result: Any, subject: str) -> int:
    size = result.get("size") if isinstance(result, Mapping) else None
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE_GIB:
        raise ManageInvalidShare(
            f"{subject}: the driver returned no valid size in GiB: {result!r:.200}"
        )
    return size
