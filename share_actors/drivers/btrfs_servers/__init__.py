"""The driver `btrfs-servers`: share servers in network namespaces, with the shares of the driver `btrfs`."""

from __future__ import annotations

from share_actors.drivers.btrfs_servers.driver import BtrfsServersDriver
from share_actors.drivers.btrfs_servers.options import BtrfsServersOptions

__all__ = ["BtrfsServersDriver", "BtrfsServersOptions"]
