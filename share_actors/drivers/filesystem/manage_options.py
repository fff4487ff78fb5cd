"""The driver option by which a snapshot without its share is managed as a share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from share_actors.drivers.base import ManageInvalidShare
from share_actors.drivers.filesystem.ids import is_id

SNAPSHOT = "snapshot"
_VALUES = {True: True, False: False, "true": True, "false": False}


def names_snapshot(driver_options: Mapping[str, Any]) -> bool:
    """Whether `driver_options["snapshot"]` is true; raises `ManageInvalidShare` if it is neither."""
    value = driver_options.get(SNAPSHOT, False)
    if not isinstance(value, bool | str) or value not in _VALUES:
        raise ManageInvalidShare(
            f"driver_options['snapshot'] is {value!r}: give true or false; nothing was changed"
        )
    return _VALUES[value]


def owner_by_name(names: Sequence[str]) -> str:
    """The id of the share of the snapshot at *names* below the root; empty if its name has none."""
    if names[0] != "snapshots":
        return ""
    owner, _, snapshot_id = names[1].partition("@")
    return owner if snapshot_id and is_id(owner) else ""


def is_snapshot_of(share_id: str) -> str:
    """Why a snapshot is not managed as a share; follows its path in a sentence."""
    return (
        f"is a snapshot of share {share_id}, which is on the backend: manage or delete that share first, or"
        " manage this as its snapshot"
    )
