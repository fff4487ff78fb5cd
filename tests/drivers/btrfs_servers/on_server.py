"""A driver whose shares are on its only server, for contracts that name no server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.drivers.btrfs_servers.shares import SharesOfServer
from share_actors.values import NetworkInfo, Share


class OnServer(BtrfsServersDriver):
    """The driver `btrfs-servers` with one server, that of every share."""

    def _on(self, share_server: Any) -> SharesOfServer:
        [server_id] = self._servers.set_up_ids()
        return super()._on({"id": server_id})

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The use of shares that do not say that they are on the server."""
        [server_id] = self._servers.set_up_ids()
        return super().get_share_usage([s.replace(share_server_id=server_id) for s in shares])

    def prepare(self, address: str, cidr: str) -> dict[str, str]:
        """Set up the server, on a network of its own; returns its details."""
        info = network_info(str(uuid4()), address, cidr=cidr)
        return self.setup_server(info, metadata={"attempt": 1, "token": ""})


# the contract kills at the lines of the package that the driver is in
OnServer.__module__ = BtrfsDriver.__module__


def network_info(server_id: str, address: str, **changes: Any) -> NetworkInfo:
    """What `setup_server` gets for a server with this address; by default on 10.0.0.0/24 of VLAN 100."""
    fields = {
        "server_id": server_id,
        "backend_name": "disk",
        "network_id": "net",
        "cidr": "10.0.0.0/24",
        "network_type": "vlan",
        "segmentation_id": 100,
        "network_allocations": (address,),
    }
    return NetworkInfo.model_validate({**fields, **changes})
