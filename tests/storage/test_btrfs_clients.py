"""The driver `btrfs` as NFS clients see it, by both versions of NFS and both families of addresses."""

from __future__ import annotations

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsOptions
from share_actors.testing import ClientContract
from share_actors.testing.client_access_contract import ClientAccessContract
from share_actors.testing.client_base import ServedShare
from share_actors.testing.client_network_contract import ClientNetworkContract
from share_actors.testing.nfs.networks import CLIENTS, SERVER
from share_actors.testing.visits import Mount
from tests.storage.btrfs_clients import BtrfsClients, backends

__all__ = ["backends"]


class TestNfs4Clients(BtrfsClients, ClientContract):
    def test_what_a_client_writes_is_in_the_subvolume_of_the_share(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))

        visit(served.export, self.one).write("a", b"content")

        assert isinstance(driver.configuration, BtrfsOptions)
        subvolume = driver.configuration.root / "pool" / "shares" / served.share.id
        assert (subvolume / "a").read_bytes() == b"content"


class TestNfs3Clients(BtrfsClients, ClientContract):
    version = 3


class TestIpv6Clients(BtrfsClients, ClientAccessContract, ClientNetworkContract):
    address = SERVER[1]
    clients = (CLIENTS[0][1], CLIENTS[1][1])
