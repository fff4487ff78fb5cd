"""Managing what is on a share server, and unmanaging it: the server stays as long as it has the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from share_actors import sentence
from share_actors.config import Config
from share_actors.errors import NotFound, Refused
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from share_actors.values import ShareServer


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    """A system with `local-servers` backends that delete a server with its last share, and a `local` one."""
    served = {"driver": "local-servers", "driver_handles_share_servers": True}
    backends: dict[str, Any] = {
        "tenants": {
            **served,
            "delete_server_with_last_share": True,
            "options": {"root": str(tmp_path / "tenants")},
        },
        "others": {**served, "options": {"root": str(tmp_path / "others")}},
        "disk": {"driver": "local", "options": {"root": str(tmp_path / "disk")}},
    }
    with sync_system(Config(home=tmp_path, backends=backends), durable=True) as system:
        yield system


@pytest.fixture
def server(system: SyncInProcessSystem) -> ShareServer:
    """A share server of the backend `tenants`, with one share."""
    network = system.networks.create(cidr="10.0.0.0/24", name="blue")
    share = system.create_share(size=1, backend="tenants", share_network_id=network.id)
    return system.servers.get(share.seen.share_server_id or "")


def put_data(server: ShareServer, name: str = "old") -> Path:
    """Make a directory on the server with a file in it."""
    directory = Path(server.backend_details["root"]) / name
    directory.mkdir()
    (directory / "file").write_text("kept")
    return directory


def manage(system: SyncInProcessSystem, server: ShareServer, path: str, **fields: Any) -> Any:
    return system.manage_share(
        {"path": path}, backend="tenants", share_server_id=server.id, **fields
    )


def test_data_on_a_server_are_managed_as_a_share_of_its_network(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    put_data(server)

    preview = system.preview_manage({"path": "old"}, backend="tenants", share_server_id=server.id)
    share = manage(system, server, "old", name="found")

    assert preview["size"] == share.size == 1
    assert share.seen.share_network_id == server.share_network_id
    assert share.id in system.servers.get(server.id).shares
    assert any(server.id in sentence(r) for r in share.history())
    share.delete()
    assert share.id not in system.servers.get(server.id).shares


def test_an_unmanaged_share_leaves_its_data_on_a_server_that_stays(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    [first] = server.shares
    share = system.share(first)
    share.allow_access("root", type="user")
    path = Path(share.export_locations[0])
    (path / "file").write_text("kept")

    share.unmanage()

    left = system.servers.get(server.id)
    assert (left.status, left.shares, share.refresh().status) == ("active", (), "unmanaged")
    assert (path / "file").read_text() == "kept"
    advice = " ".join(share.explain().advice)
    assert f"`share manage --backend tenants --server {server.id}`" in advice
    assert "its data are still there" in sentence(list(system.servers.history(server.id))[-1])
    again = manage(system, server, f"shares/{first}")
    assert (Path(again.export_locations[0]) / "file").read_text() == "kept"


def test_a_server_with_data_of_an_unmanaged_share_stays_when_its_last_share_goes(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    [first] = server.shares
    put_data(server)
    second = manage(system, server, "old")
    second.unmanage()

    system.share(first).delete()

    assert system.servers.get(server.id).status == "active"


def test_a_snapshot_on_a_server_is_managed_and_unmanaged(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    share = system.share(server.shares[0])
    put_data(server, "monday")

    snapshot = share.manage_snapshot("monday", "monday")
    location = Path(share.refresh().snapshots[0].provider_location or "")

    assert (location / "file").read_text() == "kept"
    share.unmanage_snapshot(snapshot.id)
    assert (location / "file").read_text() == "kept"
    with pytest.raises(Refused, match="path 'tuesday' is not a directory"):
        share.manage_snapshot("tuesday", "tuesday")


def test_a_request_that_names_no_usable_server_is_refused_and_not_recorded(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    put_data(server)

    with pytest.raises(NotFound, match="there is no share server"):
        system.manage_share({"path": "old"}, backend="tenants", share_server_id=str(uuid4()))
    with pytest.raises(Refused, match="is on backend 'tenants', not on 'others'"):
        system.manage_share({"path": "old"}, backend="others", share_server_id=server.id)
    with pytest.raises(Refused, match="give the share_server_id"):
        system.manage_share({"path": "old"}, backend="tenants")
    with pytest.raises(Refused, match="path 'nowhere' is not a directory"):
        manage(system, server, "nowhere")
    assert [s.id for s in system.shares().items] == list(server.shares)


def test_a_share_is_not_managed_again_under_the_id_that_left_the_network(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    [first] = server.shares
    system.share(first).unmanage()

    with pytest.raises(Refused, match="manage its data under a new id"):
        manage(system, server, f"shares/{first}", share_id=first)


def test_a_share_on_a_server_survives_the_death_of_its_host_while_it_is_managed(
    system: SyncInProcessSystem, server: ShareServer
) -> None:
    put_data(server)
    request = {"command_id": str(uuid4())}
    share_id = manage(system, server, "old", wait=False, **request).id

    system.kill_host_of(share_id)
    share = manage(system, server, "old", **request)

    assert (share.id, share.refresh().status) == (share_id, "available")
    assert share_id in system.servers.get(server.id).shares
