"""A backend that is not configured any more: what is on it can be given up, and managed again later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.client import ShareHandle
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import InvalidRequest, NotFound, OperationFailed, Refused
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem

WHY = "its disk array burned"


def config(home: Path, *names: str) -> Config:
    """Backends of these names, each on storage of its own; `served` handles share servers."""
    backends: dict[str, Any] = {}
    for name in names:
        options = {"directory": str(home / name)}
        backends[name] = {"driver": "dummy", "options": options, "backoff_s": 0.01}
    if "served" in backends:
        backends["served"] |= {"driver_handles_share_servers": True}
    return Config(home=home, backends=backends)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    """A system whose backends are `old`, `served` and `kept`; `lose` removes the first two."""
    with sync_system(config(tmp_path, "old", "served", "kept"), durable=True) as system:
        yield system


def lose(system: SyncInProcessSystem) -> None:
    system.backends.reload(config(system.config.home, "kept"))


def events(share: ShareHandle) -> list[tuple[str, str]]:
    """The last events of *share*, with the users who asked."""
    return [(type(r.event).__name__, r.envelope.user_id) for r in share.history()]


def on_server(system: SyncInProcessSystem) -> ShareHandle:
    network = system.networks.create(cidr="10.0.0.0/28", name="blue")
    return system.create_share(size=1, share_network_id=network.id)


# -- unmanaging ----------------------------------------------------------------------------------
def test_a_share_is_unmanaged_without_its_driver(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    lose(system)

    assert share.unmanage().status == "unmanaged"
    assert share.history()[-1].event.reason == "backend 'old' is not configured; there are: kept"
    assert not DummyBackend(tmp_path / "old").calls("unmanage")


def test_a_snapshot_is_unmanaged_without_its_driver(system: Any) -> None:
    share = system.create_share(size=1, backend="old")
    snapshot = share.create_snapshot("s")
    lose(system)

    share.unmanage_snapshot(snapshot)

    assert share.refresh().snapshots == ()


def test_a_share_whose_deletion_failed_can_be_unmanaged(system: Any) -> None:
    share = system.create_share(size=1, backend="old")
    lose(system)
    with pytest.raises(OperationFailed, match="'old' is not configured"):
        share.delete()

    assert share.unmanage().status == "unmanaged"


# -- forgetting ----------------------------------------------------------------------------------
def test_a_share_is_forgotten_with_its_rules_and_snapshots(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    share.allow_access("alice")
    share.create_snapshot("s")
    lose(system)

    share.forget(WHY)

    assert (share.status, share.status_reason) == ("unmanaged", WHY)
    assert (share.refresh().access_rules, share.snapshots) == ((), ())
    assert events(share)[-2:] == [
        ("ShareForgetRequested", system.context.user_id),
        ("ShareForgotten", system.context.user_id),
    ]
    assert share.id in DummyBackend(tmp_path / "old").shares()


def test_a_reason_is_required(system: Any) -> None:
    share = system.create_share(size=1, backend="old")

    with pytest.raises(InvalidRequest, match="reason: is blank"):
        share.forget(" ")


def test_a_snapshot_in_error_is_forgotten_and_then_its_share_is_unmanaged(system: Any) -> None:
    share = system.create_share(size=1, backend="old")
    snapshot = share.create_snapshot("s")
    lose(system)
    with pytest.raises(OperationFailed):
        share.delete_snapshot(snapshot)

    share.forget_snapshot(snapshot, WHY)

    assert share.refresh().snapshots == ()
    assert share.unmanage().status == "unmanaged"


def test_a_share_a_server_and_its_network_are_given_up(system: Any) -> None:
    share = on_server(system)
    server_id = share.refresh().seen.share_server_id
    lose(system)
    with pytest.raises(Refused, match="ShareServerInUse"):
        system.servers.forget(server_id, WHY)

    share.forget(WHY)
    server = system.servers.forget(server_id, WHY)

    assert (share.status, server.status, server.status_reason) == ("unmanaged", "unmanaged", WHY)
    assert system.networks.get("blue").allocations == {}
    system.networks.delete("blue")


def test_all_of_a_backend_is_forgotten_at_once(system: Any) -> None:
    shares = [system.create_share(size=1, backend="old") for _ in range(3)]
    kept, served = system.create_share(size=1, backend="kept"), on_server(system)
    lose(system)

    forgotten = system.backends.forget("old", WHY)
    with_servers = system.backends.forget("served", WHY)

    assert set(forgotten["shares"]) == {share.id for share in shares}
    assert (with_servers["shares"], len(with_servers["servers"])) == ([served.id], 1)
    assert [share.id for share in system.shares().items] == [kept.id]
    assert (forgotten["failed"], with_servers["failed"]) == ({}, {})


def test_a_backend_that_is_configured_or_unknown_is_not_forgotten(system: Any) -> None:
    with pytest.raises(Refused, match="'old' is configured: remove it"):
        system.backends.forget("old", WHY)
    with pytest.raises(NotFound, match="no backend 'other'"):
        system.backends.forget("other", WHY)


# -- what is explained ---------------------------------------------------------------------------
def test_an_explanation_names_what_can_be_done_without_the_backend(system: Any) -> None:
    share = system.create_share(size=1, backend="old")
    assert share.explain().exits == ()
    lose(system)

    explanation = share.explain()

    assert [exit_.verb for exit_ in explanation.exits] == ["unmanage", "forget"]
    assert "`backend rename old NEW`" in explanation.advice[0]


def test_servers_and_networks_are_explained(system: Any) -> None:
    share = on_server(system)
    lose(system)

    server = system.servers.explain(share.refresh().seen.share_server_id)
    network = system.networks.explain("blue")

    assert [(e.verb, e.id) for e in server.exits] == [("forget", share.id)]
    assert [(e.verb, e.id) for e in network.exits] == [("forget", share.id)]


# -- and back ------------------------------------------------------------------------------------
def test_a_forgotten_share_is_managed_again_with_its_snapshots(tmp_path: Path) -> None:
    local = {"driver": "local", "options": {"root": str(tmp_path / "root")}}
    both = Config(home=tmp_path, backends={"old": local, **config(tmp_path, "kept").backends})
    with sync_system(both, durable=True) as system:
        share = system.create_share(size=1, backend="old", name="data")
        share.allow_access("nobody")
        snapshot = share.create_snapshot("monday")
        [path] = share.export_locations
        assert os.stat(path).st_mode & 0o070
        lose(system)
        share.forget(WHY)

        system.backends.reload(both)
        again = system.manage_share({"path": path}, backend="old", name="data", share_id=share.id)
        assert snapshot.provider_location is not None
        again.manage_snapshot(snapshot.provider_location, "monday", snapshot_id=snapshot.id)

        assert (again.id, again.status, again.export_locations) == (share.id, "available", (path,))
        assert again.refresh().access_rules == ()
        assert os.stat(path).st_mode & 0o077 == 0
        assert [s.id for s in again.refresh().snapshots] == [snapshot.id]
        assert system.create_share(size=1, snapshot_id=snapshot.id).status == "available"
