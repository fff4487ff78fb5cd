"""The driver `btrfs`: subvolumes with quotas and snapshots, exported over NFS by a private NFS-Ganesha."""

from __future__ import annotations

from share_actors.drivers.btrfs.driver import BtrfsDriver
from share_actors.drivers.btrfs.options import BtrfsOptions

__all__ = ["BtrfsDriver", "BtrfsOptions"]
