"""What is on a backend of the driver `local`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from share_actors.drivers.abilities import BackendObject
from share_actors.drivers.filesystem.ids import is_id
from share_actors.drivers.local.layout import Area, Layout


def listed_objects(layout: Layout) -> list[BackendObject]:
    """The directories in the places of shares and snapshots, in the order of their names."""
    sizes = layout.sizes()
    shares = [_share(layout, name, sizes) for name in _directories(layout, "shares")]
    return shares + [_snapshot(layout, name) for name in _directories(layout, "snapshots")]


def _directories(layout: Layout, area: Area) -> list[str]:
    with os.scandir(layout.root / area) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def _share(layout: Layout, name: str, sizes: Mapping[str, int]) -> BackendObject:
    path = str(layout.path("shares", name))
    return BackendObject(
        kind="share",
        id=name if is_id(name) else None,
        location=path,
        size=sizes.get(name),
        export_paths=(path,),
    )


def _snapshot(layout: Layout, name: str) -> BackendObject:
    share_id, _, snapshot_id = name.partition("@")
    return BackendObject(
        kind="snapshot",
        id=snapshot_id if is_id(snapshot_id) else None,
        location=str(layout.path("snapshots", name)),
        share_id=share_id if is_id(share_id) else None,
    )
