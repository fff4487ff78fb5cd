"""Addresses of share servers: one address is used once on a segment; tenants' networks may overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.local import LocalServersDriver
from share_actors.values import ShareNetwork, ShareServer
from tests.drivers.conftest import CONTEXT


@pytest.fixture
def driver(tmp_path: Path) -> LocalServersDriver:
    options = LocalServersDriver.Options(root=tmp_path / "root")
    servers = LocalServersDriver(configuration=options, backend_name="t")
    servers.do_setup(CONTEXT)
    return servers


def allocate(driver: LocalServersDriver, network: ShareNetwork | None) -> None:
    server = ShareServer(id=str(uuid4()), network_allocations=("192.168.0.1",))
    driver.allocate_network(CONTEXT, server, network, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"network_type": "vlan", "segmentation_id": 100}, {"network_type": "vxlan"}),
        ({"network_type": "vlan", "segmentation_id": 100}, {"segmentation_id": 200}),
        ({"network_type": "none", "segmentation_id": None}, {}),
        ({"network_type": "flat", "segmentation_id": None}, {"network_type": "none"}),
    ],
)
def test_networks_on_different_segments_may_have_the_same_addresses(
    driver: LocalServersDriver, first: dict[str, Any], second: dict[str, Any]
) -> None:
    for network_id, fields in (("blue", first), ("red", {**first, **second})):
        allocate(driver, ShareNetwork(id=network_id, cidr="192.168.0.0/24", **fields))


def test_an_address_is_used_once_on_a_segment_whatever_network_it_is_of(
    driver: LocalServersDriver,
) -> None:
    blue = ShareNetwork(id="blue", cidr="192.168.0.0/24", network_type="vlan", segmentation_id=100)
    allocate(driver, blue)

    for network in (blue, blue.replace(id="red")):
        with pytest.raises(
            DriverError, match=r"another share server on vlan 100 already uses 192.168.0.1$"
        ):
            allocate(driver, network)


def test_an_address_in_a_record_of_an_earlier_version_may_be_on_any_segment(
    driver: LocalServersDriver, tmp_path: Path
) -> None:
    record = tmp_path / "root" / "networks" / "old.json"
    record.write_text('{"id": "old", "addresses": ["192.168.0.1"]}')

    with pytest.raises(DriverError, match="already uses"):
        allocate(driver, ShareNetwork(id="net", cidr="192.168.0.0/24"))


def test_an_address_is_used_once_without_any_network(driver: LocalServersDriver) -> None:
    allocate(driver, None)

    with pytest.raises(DriverError, match="already uses"):
        allocate(driver, None)
