"""A whole system with share servers in namespaces: from a network and a share to a mount, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from share_actors.config import BackendSettings, Config
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.errors import OperationFailed
from share_actors.testing import sync_system
from tests.drivers.btrfs_servers.conftest import CONTEXT, MakeDriver, root_of
from tests.drivers.btrfs_servers.kills import left_of


def config_of(driver: BtrfsServersDriver, home: Path) -> Config:
    """A system whose only backend is that of *driver*."""
    backend = BackendSettings(
        driver="btrfs-servers",
        driver_handles_share_servers=True,
        options=driver.configuration.model_dump(),
    )
    return Config(home=home, backends={"disk": backend})


def test_a_share_of_a_network_is_served_at_the_address_that_the_network_allocated(
    make_driver: MakeDriver, tmp_path: Path
) -> None:
    driver = make_driver()
    with sync_system(config_of(driver, tmp_path / "home")) as system:
        system.networks.create(
            cidr="10.0.0.0/24",
            gateway="10.0.0.1",
            name="blue",
            network_type="vlan",
            segmentation_id=100,
        )
        share = system.create_share(size=1, share_network_id=system.networks.get("blue").id)
        share.allow_access("10.0.0.9", type="ip")

        server = system.servers.get(share.seen.share_server_id or "")
        assert share.export_locations == (f"10.0.0.2:/{share.id}",)
        assert server.backend_details["bridge"].endswith("v100")
        assert driver.check_health() == ()

        system.kill_host_of(share.id)
        share.delete()
        assert system.servers.delete(server.id).status == "deleted"
        assert left_of(driver) == []


def test_a_share_on_a_server_is_unmanaged_without_an_export_and_managed_again_with_its_snapshot(
    make_driver: MakeDriver, tmp_path: Path
) -> None:
    driver = make_driver()
    with sync_system(config_of(driver, tmp_path / "home")) as system:
        network = system.networks.create(cidr="10.0.0.0/24", gateway="10.0.0.1")
        share = system.create_share(size=1, share_network_id=network.id)
        server = system.servers.get(share.seen.share_server_id or "")
        data = root_of(driver) / "pool" / "servers" / server.id
        (data / "shares" / share.id / "file").write_text("kept")
        snapshot = share.create_snapshot("monday")

        share.unmanage_snapshot(snapshot.id)
        share.unmanage()

        [left] = [d for d in system.backends.audit("disk") if d.of == "share"]
        exported = [o.export_paths for o in driver.list_backend(CONTEXT) if o.kind == "share"]
        assert (left.share_server_id, exported) == (server.id, [()])
        with pytest.raises(OperationFailed, match=f"has shares: {share.id}"):
            system.servers.delete(server.id)


def test_what_only_a_server_has_is_deleted_and_then_the_server_can_be(
    make_driver: MakeDriver, tmp_path: Path
) -> None:
    driver = make_driver()
    with sync_system(config_of(driver, tmp_path / "home")) as system:
        network = system.networks.create(cidr="10.0.0.0/24", gateway="10.0.0.1")
        share = system.create_share(size=1, share_network_id=network.id)
        server_id = share.seen.share_server_id or ""
        share.unmanage()
        [left] = system.backends.audit("disk")
        assert f"--delete-unknown {share.id} --apply" in left.next_step

        deleted = system.backends.delete_unknown("disk", share.id)

        assert deleted.status == "deleted"
        assert not system.backends.audit("disk")
        assert system.servers.delete(server_id).status == "deleted"
        assert left_of(driver) == []


def test_what_is_on_a_server_is_managed_and_served_at_its_address(
    make_driver: MakeDriver, tmp_path: Path
) -> None:
    driver = make_driver()
    with sync_system(config_of(driver, tmp_path / "home")) as system:
        network = system.networks.create(cidr="10.0.0.0/24", gateway="10.0.0.1")
        first = system.create_share(size=1, share_network_id=network.id)
        server_id = first.seen.share_server_id or ""
        first.unmanage()
        request: dict[str, Any] = {"backend": "disk", "share_server_id": server_id}
        path = {"path": f"shares/{first.id}"}

        preview = system.preview_manage(path, **request)
        share = system.manage_share(path, **request)
        share.allow_access("10.0.0.9", type="ip")

        assert (preview["size"], share.size) == (1, 1)
        assert share.export_locations == (f"10.0.0.2:/{share.id}",)
        assert not system.backends.audit("disk")
        share.delete()
        assert system.servers.delete(server_id).status == "deleted"
        assert left_of(driver) == []
