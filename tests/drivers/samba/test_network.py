"""A private smbd on an IPv6 address, and in a network namespace."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.samba import Samba, SambaSettings
from share_actors.drivers.samba.programs import PACKAGES
from share_actors.testing.nfs.networks import CLIENTS, SERVER, ClientNetwork
from share_actors.testing.visiting import visits
from share_actors.testing.visits import Refused, Visit
from tests.drivers.samba.conftest import PASSWORDS, free_port
from tests.storage.cifs_client import CifsVisit, cifs_mounts
from tests.storage.conftest import need, network

__all__ = ["network"]
CLIENT = CLIENTS[0][0]


@pytest.fixture
def inside(network: ClientNetwork, directory: Path) -> Iterator[Samba]:
    """An smbd in the namespace of a server, with the users `PASSWORDS`."""
    need(PACKAGES)
    samba = Samba(
        SambaSettings(
            directory=directory / "smb", address=SERVER[0], network_namespace=network.server
        )
    )
    for user, password in PASSWORDS.items():
        samba.set_user(user, password)
    samba.start()
    try:
        yield samba
    finally:
        samba.stop()


def test_a_client_of_the_namespace_is_served_and_cut_off(
    inside: Samba, network: ClientNetwork, share: Path
) -> None:
    inside.export("one", share, {"alice": "rw"})

    with visits() as made:
        visit = made.add(partial(mounted, network))
        visit.write("a", b"1")
        cut = inside.export("one", share, {})
        with pytest.raises(Refused):
            visit.write("a", b"2")

    assert [(client.user, client.address) for client in cut.denied] == [("alice", CLIENT)]
    assert not [found for found in psutil.net_connections("tcp") if found.laddr[:1] == (SERVER[0],)]


def mounted(network: ClientNetwork) -> Visit:
    network.enter(CLIENT)
    return CifsVisit(SERVER[0], "one", 445, "alice", PASSWORDS["alice"])


def test_a_namespace_that_does_not_exist_is_told(directory: Path) -> None:
    need(PACKAGES)
    samba = Samba(SambaSettings(directory=directory / "smb", network_namespace="no-such"))

    with pytest.raises(DriverError, match=r"smbd cannot start: network_namespace .no-such"):
        samba.start()


def test_an_ipv6_address_is_served(directory: Path, share: Path) -> None:
    need(PACKAGES)
    samba = Samba(SambaSettings(directory=directory / "smb", address="::1", port=free_port()))
    samba.set_user("alice", PASSWORDS["alice"])
    try:
        samba.start()
        samba.export("one", share, {"alice": "rw"})
        with cifs_mounts(samba.settings.port, PASSWORDS) as mount:
            mount.visit("::1", "one", "alice").write("a", b"1")
    finally:
        samba.stop()

    assert (share / "a").read_bytes() == b"1"
