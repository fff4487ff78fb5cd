"""Share servers of several networks on one machine: what a client of each can reach."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.drivers.samba.programs import PACKAGES
from share_actors.testing import Visit
from share_actors.testing.contracts.base import CONTEXT, new_share
from share_actors.testing.contracts.client.base import OUT
from share_actors.testing.nfs.client import NfsMount
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork, clients_on
from share_actors.testing.visiting import visits
from share_actors.values import AccessRule, ExportLocation, Share, ShareServer, Snapshot
from tests.drivers.btrfs_servers.conftest import MakeDriver, driver, make_driver, root_of, tmp_path
from tests.drivers.btrfs_servers.kills import left_of
from tests.drivers.btrfs_servers.on_server import network_info
from tests.storage.cifs_client import CifsVisit
from tests.storage.conftest import need

__all__ = ["driver", "make_driver", "tmp_path"]
WHO = CLIENTS[0][0]
PASSWORD = "a-Long-passw0rd"


class Tenant:
    """A share server of a segment, with a share that the client `WHO` of its network may mount."""

    def __init__(self, driver: BtrfsServersDriver, segment: int, made: ExitStack) -> None:
        self._driver, self._name = driver, f"server-{segment}"
        self.server = ShareServer(id=self._name)
        info = network_info(
            self._name,
            SERVER[0],
            segmentation_id=segment,
            cidr="10.99.0.0/16",
            network_id=self._name,
        )
        self.details = driver.setup_server(info)
        clients = clients_on(self.details["bridge"], self.details["namespace"])
        self._mount = NfsMount(made.enter_context(clients), 4, 2049, 20048)
        self._visits = made.enter_context(visits())
        self.share = new_share(driver)
        [self.export] = driver.create_share(CONTEXT, self.share, self.server)
        self.allow(self.share)

    def allow(self, share: Share) -> None:
        """Let the client in."""
        rule = AccessRule(id="rule", access_type="ip", access_to=WHO)
        assert not self._driver.update_access(CONTEXT, share, [rule], [rule], (), (), self.server)

    def visit(self, export: ExportLocation) -> Visit:
        """Mount *export* as the client in the tenant's network."""
        return self._visits.add(partial(self._mount, WHO, export))

    def remove(self) -> None:
        """Delete the share and the server."""
        self._driver.delete_share(CONTEXT, self.share, self.server)
        self._driver.teardown_server({"server_id": self._name})


@pytest.fixture
def made(driver: BtrfsServersDriver) -> Iterator[ExitStack]:
    """The clients and their visits, after whose end the bridges that they were on are removed."""
    with ExitStack() as stack:
        yield stack
    driver.strays(delete=True)


def test_servers_of_two_segments_have_the_same_address_and_each_client_reaches_its_own(
    driver: BtrfsServersDriver, made: ExitStack
) -> None:
    blue, red = (Tenant(driver, segment, made) for segment in (100, 200))
    assert blue.details["address"] == red.details["address"]
    assert blue.details["bridge"] != red.details["bridge"]

    blue.visit(blue.export).write("colour", b"blue")
    red.visit(red.export).write("colour", b"red")

    assert blue.visit(blue.export).read("colour") == b"blue"
    with pytest.raises(OUT):
        blue.visit(red.export)

    red.remove()
    assert driver.strays(delete=True) == (f"bridge {red.details['bridge']}",)  # a client is on it
    assert blue.visit(blue.export).read("colour") == b"blue"
    blue.remove()


def test_a_share_reverted_and_copied_on_its_server_is_mounted_with_the_content_of_the_snapshot(
    driver: BtrfsServersDriver, made: ExitStack
) -> None:
    tenant = Tenant(driver, 100, made)
    tenant.visit(tenant.export).write("a", b"before")
    snapshot = Snapshot(id="first", share_id=tenant.share.id, size=1)
    driver.create_snapshot(CONTEXT, snapshot, tenant.server)
    tenant.visit(tenant.export).write("a", b"after!")

    copy = new_share(driver)
    [export] = driver.create_share_from_snapshot(CONTEXT, copy, snapshot, tenant.server)
    tenant.allow(copy)
    driver.revert_to_snapshot(CONTEXT, tenant.share, snapshot, tenant.server)

    assert tenant.visit(export).read("a") == b"before"
    assert tenant.visit(tenant.export).read("a") == b"before"


def test_the_machine_itself_does_not_reach_a_server(
    driver: BtrfsServersDriver, made: ExitStack
) -> None:
    tenant = Tenant(driver, 100, made)

    for interface in (tenant.details["bridge"], tenant.details["namespace"]):
        shown = subprocess.run(
            ["ip", "-brief", "address", "show", "dev", interface],
            check=True,
            capture_output=True,
            text=True,
        )
        assert len(shown.stdout.split()) == 2, f"{interface} has an address: {shown.stdout}"


def mount_cifs(network: ClientNetwork, export: ExportLocation, password: str) -> CifsVisit:
    """Move this process into the client's network for good, and mount *export* as the user alice."""
    network.enter(WHO)
    _, _, host, share = export.path.split("\\")
    return CifsVisit(host, share, 445, "alice", password)


def test_a_server_serves_cifs_shares_to_users_with_a_password(make_driver: MakeDriver) -> None:
    need(PACKAGES)
    driver = make_driver(cifs_users={"alice": PASSWORD})
    driver.start_backend(CONTEXT)
    details = driver.setup_server(network_info("one", SERVER[0], cidr="10.99.0.0/16"))
    server, share = ShareServer(id="one"), new_share(driver).replace(share_proto="CIFS")
    [export] = driver.create_share(CONTEXT, share, server)
    rule = AccessRule(id="rule", access_type="user", access_to="alice")
    assert not driver.update_access(CONTEXT, share, [rule], [rule], (), (), server)

    with clients_on(details["bridge"], details["namespace"]) as network, visits() as made:
        made.add(partial(mount_cifs, network, export, PASSWORD)).write("a", b"content")
        with pytest.raises(OUT):
            made.add(partial(mount_cifs, network, export, "wrong"))
    assert (root_of(driver) / "pool/servers/one/shares" / share.id / "a").read_bytes() == b"content"

    driver.delete_share(CONTEXT, share, server)
    driver.teardown_server({"server_id": "one"})
    assert left_of(driver) == []
