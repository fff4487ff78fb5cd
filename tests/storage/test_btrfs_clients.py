"""The driver `btrfs` as NFS clients see it, by both versions of NFS and both families of addresses."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver, BtrfsOptions
from share_actors.testing import ClientContract
from share_actors.testing.contracts.client.access import ClientAccessContract
from share_actors.testing.contracts.client.base import ServedShare
from share_actors.testing.contracts.client.content import ClientContentContract
from share_actors.testing.contracts.client.daemon import ClientDaemonContract
from share_actors.testing.contracts.client.network import ClientNetworkContract
from share_actors.testing.contracts.client.size import ClientSizeContract
from share_actors.testing.contracts.client.snapshot import ClientSnapshotContract
from share_actors.testing.nfs.networks import CLIENTS, SERVER
from share_actors.testing.visits import Mount
from tests.drivers.ganesha.conftest import wait_until
from tests.storage.btrfs_clients import BtrfsClients, backends

__all__ = ["backends"]


class ConnectedClients(BtrfsClients):
    """Who is connected: tests for each version."""

    def test_a_client_is_listed_with_what_it_wrote_while_it_is_connected(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        assert isinstance(driver, BtrfsDriver)
        served.allow((self.one, "rw"))
        mounted: Any = visit(served.export, self.one)
        mounted.write("a", b"x" * 1000)

        [client] = driver.get_share_clients(served.share)

        assert (client.address, client.of_all_shares) == (self.one, True)
        assert f"NFSv{self.version}" in client.protocol
        assert (client.bytes_written or 0) >= 1000
        mounted.unmount()
        wait_until(lambda: driver.get_share_clients(served.share) == ())

    def test_a_client_without_a_rule_of_the_share_is_not_one_of_its_clients(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        assert isinstance(driver, BtrfsDriver)
        served.allow((self.one, "rw"))
        visit(served.export, self.one).names()
        served.allow((self.two, "rw"))

        assert self.one not in [c.address for c in driver.get_share_clients(served.share)]
        assert driver.get_share_clients(served.share.replace(id="none")) == ()


class TestNfs4Clients(
    ConnectedClients,
    ClientAccessContract,
    ClientNetworkContract,
    ClientContentContract,
    ClientSnapshotContract,
    ClientDaemonContract,
):
    def test_what_a_client_writes_is_in_the_subvolume_of_the_share(
        self, driver: ShareDriver, served: ServedShare, visit: Mount
    ) -> None:
        served.allow((self.one, "rw"))

        visit(served.export, self.one).write("a", b"content")

        assert isinstance(driver.configuration, BtrfsOptions)
        subvolume = driver.configuration.root / "pool" / "shares" / served.share.id
        assert (subvolume / "a").read_bytes() == b"content"


@pytest.mark.soak
class TestNfs4Sizes(BtrfsClients, ClientSizeContract):
    """Beside version 3, whose clients write the gigabytes in the suite."""


class TestNfs3Clients(ConnectedClients, ClientContract):
    version = 3


class TestIpv6Clients(BtrfsClients, ClientAccessContract, ClientNetworkContract):
    address = SERVER[1]
    clients = (CLIENTS[0][1], CLIENTS[1][1])
