"""A `btrfs` backend with more shares than one NFS server has."""

from __future__ import annotations

import os
import re
import signal

import pytest
from pydantic import ValidationError

from share_actors.drivers import DriverError
from share_actors.drivers.btrfs import BtrfsDriver, BtrfsOptions
from share_actors.drivers.ganesha import GaneshaSettings
from share_actors.testing.nfs.libnfs import Nfs
from share_actors.values import AccessRule, Share, Snapshot
from tests.drivers.btrfs.conftest import CONTEXT, MakeDriver

RULE = AccessRule(id="r1", access_type="ip", access_to="127.0.0.1", access_level="ro")
GIVEN = frozenset({("ip", "127.0.0.1", "ro")})
SHARES = tuple(Share(id=name, size=1) for name in ("s1", "s2"))


def options_with(**changes: object) -> BtrfsOptions:
    fields = {"device": "/dev/none", "root": "/srv/none"}
    return BtrfsOptions.model_validate({**fields, **changes})


def port_in(exports: object) -> int:
    """The port in the mount options of the first of *exports*."""
    assert isinstance(exports, tuple)
    found = re.search(r"port=(\d+)", exports[0].options)
    assert found is not None
    return int(found[1])


def server(driver: BtrfsDriver, number: int) -> GaneshaSettings:
    options = driver.configuration
    assert isinstance(options, BtrfsOptions)
    return options.nfs_server(number)


@pytest.fixture
def driver(make_driver: MakeDriver) -> BtrfsDriver:
    """A running driver with one share for each NFS server, and two shares."""
    driver = make_driver(exports_per_instance=1)
    driver.start_backend(CONTEXT)
    for share in SHARES:
        driver.create_share(CONTEXT, share)
        driver.update_access(CONTEXT, share, [RULE], [RULE], ())
    return driver


def test_each_share_is_mounted_from_the_port_that_its_location_tells(driver: BtrfsDriver) -> None:
    ports = [port_in(driver.ensure_share(CONTEXT, share)) for share in SHARES]

    assert ports == [server(driver, 1).nfs_port, server(driver, 2).nfs_port]
    for share, port in zip(SHARES, ports, strict=True):
        client = Nfs(
            "127.0.0.1", f"/{share.id}", version=4, timeout_ms=5000, port=port, mount_port=0
        )
        told = [one.address for one in driver.get_share_clients(share)]
        client.disconnect()
        assert told == ["127.0.0.1"]


def test_every_server_is_asked_about_its_shares_and_a_killed_one_does_not_stop_the_others(
    driver: BtrfsDriver,
) -> None:
    assert [found.access for found in driver.list_backend(CONTEXT)] == [GIVEN, GIVEN]
    os.kill(int(server(driver, 1).files.ganesha_pid.read_text()), signal.SIGKILL)

    assert driver.probe_share(CONTEXT, SHARES[1]).access == GIVEN
    driver.start_backend(CONTEXT)

    assert [driver.probe_share(CONTEXT, share).state for share in SHARES] == ["whole", "whole"]
    assert driver.check_health() == ()


def test_a_reverted_share_keeps_its_port_and_a_deleted_one_gives_its_server_back(
    driver: BtrfsDriver,
) -> None:
    first, second = SHARES
    snapshot = Snapshot(id="n1", share_id=second.id)
    driver.create_snapshot(CONTEXT, snapshot)
    driver.delete_share(CONTEXT, first)
    driver.revert_to_snapshot(CONTEXT, second, snapshot)

    kept = port_in(driver.probe_share(CONTEXT, second).export_locations)
    new = port_in(driver.create_share(CONTEXT, Share(id="s3", size=1)))
    driver.delete_share(CONTEXT, second)

    assert (new, kept) == (server(driver, 1).nfs_port, server(driver, 2).nfs_port)
    assert driver.probe_share(CONTEXT, second).state == "absent"
    assert not server(driver, 2).files.spec.exists()
    assert driver.check_health() == ()


def test_version_3_is_served_by_one_server_of_all_shares() -> None:
    assert options_with(versions=(3, 4)).exports_a_server is None
    assert options_with().exports_a_server == 300
    with pytest.raises(ValidationError, match="exports_per_instance is 200, and versions has 3"):
        options_with(versions=(3, 4), exports_per_instance=200)


def test_further_servers_have_ports_of_their_own_and_serve_version_4_alone() -> None:
    options = options_with(nfs_port=2049, mount_port=2050, cifs_port=2052, versions=(3,))

    servers = [options.nfs_server(number) for number in (1, 2, 3)]

    assert [found.nfs_port for found in servers] == [2049, 2051, 2053]
    assert [found.versions for found in servers] == [(3,), (4,), (4,)]
    with pytest.raises(DriverError, match=r"NFS server 3 has no port.* Raise exports_per_instance"):
        options_with(nfs_port=65534).nfs_server(3)
