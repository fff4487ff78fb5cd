"""A backend with another name: its shares, share servers and networks belong to the new name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.errors import ConfigError, NotFound, OperationFailed, Refused
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from tests.waiting import until


def backend(directory: Path, *, servers: bool = False, **options: Any) -> dict[str, Any]:
    return {
        "driver": "dummy",
        "options": {"directory": str(directory), **options},
        "driver_handles_share_servers": servers,
        "backoff_s": 0.01,
        "max_backoff_s": 0.05,
    }


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    """A system with the backends `old`, and `kept`, whose first reports are recorded."""
    with sync_system(config(tmp_path, old=backend(tmp_path / "a")), durable=True) as system:
        until(lambda: {"old", "kept"} <= {found.id for found in system.backends.list().items})
        yield system


def config(home: Path, **backends: Any) -> Config:
    return Config(home=home, backends={**backends, "kept": backend(home / "kept")})


def reload(system: SyncInProcessSystem, **backends: Any) -> None:
    system.backends.reload(config(system.config.home, **backends))


def test_shares_belong_to_the_new_name_and_go_on(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    snapshot = share.create_snapshot("s")
    reload(system, new=backend(tmp_path / "a"))

    renamed = system.backends.rename("old", "new")

    assert (renamed["shares"], renamed["failed"]) == ([share.id], {})
    assert share.refresh().seen.host == "new#new"
    assert share.extend(2).size == 2
    share.delete_snapshot(snapshot)
    assert [s.id for s in system.shares(backend="new").items] == [share.id]
    assert system.shares(backend="old").items == ()
    assert share.delete().status == "deleted"


def test_the_change_is_an_event_of_the_backend_and_of_each_share(
    system: Any, tmp_path: Path
) -> None:
    share = system.create_share(size=1, backend="old")
    reload(system, new=backend(tmp_path / "a"))

    system.backends.rename("old", "new")

    of_backend, of_share = system.backends.history("old")[-1], share.history()[-1]
    assert (of_backend.event.new, of_share.event.host) == ("new", "new#new")
    assert of_backend.envelope.user_id == of_share.envelope.user_id == system.context.user_id
    assert system.backends.get("old").renamed_to == "new"


def test_what_failed_for_lack_of_the_old_name_is_tried_again(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    snapshot, rule = share.create_snapshot("s"), share.allow_access("alice")
    reload(system)
    with pytest.raises(OperationFailed, match="'old' is not configured"):
        share.delete_snapshot(snapshot)
    with pytest.raises(OperationFailed, match="'old' is not configured"):
        share.deny_access(rule)
    reload(system, new=backend(tmp_path / "a"))

    system.backends.rename("old", "new")
    share.allow_access("bob")  # it waits behind what is tried again
    share.create_snapshot("t")

    assert [rule.access_to for rule in share.refresh().access_rules] == ["bob"]
    assert [snapshot.name for snapshot in share.snapshots] == ["t"]


def test_a_deletion_that_failed_for_lack_of_the_old_name_ends(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    reload(system)
    with pytest.raises(OperationFailed):
        share.delete()
    reload(system, new=backend(tmp_path / "a"))

    system.backends.rename("old", "new")

    assert share.delete().status == "deleted"


def test_work_that_is_waiting_for_its_next_attempt_goes_on(system: Any, tmp_path: Path) -> None:
    busy = backend(tmp_path / "a", transient={"extend_share": 1})
    reload(system, old=busy | {"backoff_s": 0.3, "max_backoff_s": 0.3})
    share = system.create_share(size=1, backend="old")
    share.extend(2, wait=False)
    reload(system, new=backend(tmp_path / "a"))

    system.backends.rename("old", "new")

    assert share.refresh().seen.host == "new#new"
    share.allow_access("alice")  # after the extension
    assert share.refresh().size == 2


def test_share_servers_and_networks_follow(tmp_path: Path) -> None:
    served = backend(tmp_path / "s", servers=True)
    with sync_system(config(tmp_path, old=served), durable=True) as system:
        network = system.networks.create(cidr="10.0.0.0/28")
        share = system.create_share(size=1, share_network_id=network.id)
        reload(system, new=served)

        renamed = system.backends.rename("old", "new")

        server_id = share.refresh().seen.share_server_id
        assert renamed["servers"] == [server_id]
        assert renamed["networks"] == [network.id]
        assert system.servers.get(str(server_id)).host == "new#new"
        other = system.create_share(size=1, share_network_id=network.id)
        assert other.refresh().seen.share_server_id == server_id


def test_renaming_again_finds_nothing_left(system: Any, tmp_path: Path) -> None:
    system.create_share(size=1, backend="old")
    reload(system, new=backend(tmp_path / "a"))
    system.backends.rename("old", "new")

    assert system.backends.rename("old", "new")["shares"] == []


# -- refused -------------------------------------------------------------------------------------
def test_an_unknown_new_name_is_refused(system: Any) -> None:
    reload(system)

    with pytest.raises(ConfigError, match="'new' is not configured; there are: kept"):
        system.backends.rename("old", "new")


def test_an_unknown_old_name_is_not_found(system: Any) -> None:
    with pytest.raises(NotFound, match="no backend 'never'"):
        system.backends.rename("never", "kept")


def test_an_old_name_that_is_still_configured_is_refused(system: Any) -> None:
    with pytest.raises(Refused, match="'old' is configured: remove it"):
        system.backends.rename("old", "kept")


def test_another_mode_of_share_servers_is_refused(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    reload(system, new=backend(tmp_path / "s", servers=True))

    with pytest.raises(Refused, match="driver_handles_share_servers is True, and was False"):
        system.backends.rename("old", "new")
    assert share.refresh().seen.host == "old#old"


def test_a_backend_that_does_not_have_the_shares_is_refused(system: Any, tmp_path: Path) -> None:
    share = system.create_share(size=1, backend="old")
    reload(system, new=backend(tmp_path / "other"))

    with pytest.raises(Refused, match=f"does not have 1 of 1 shares, such as {share.id}"):
        system.backends.rename("old", "new")
    assert system.backends.get("old").renamed_to is None


def test_a_manager_that_starts_finishes_a_renaming(system: Any, tmp_path: Path) -> None:
    """The backend's event is recorded first, so that the rest is not forgotten with the manager."""
    share = system.create_share(size=1, backend="old")
    reload(system, new=backend(tmp_path / "a"))
    system.backends.rename("old", "new")
    late = system.create_share(size=1, backend="new")
    _move_back(system, late.id)

    system.kill_manager()

    until(lambda: late.refresh().seen.backend == "new")
    assert share.refresh().seen.backend == "new"


def _move_back(system: SyncInProcessSystem, share_id: str) -> None:
    """Record the share on `old`, as if the manager had ended before it came to this share."""
    from share_actors.client.sync.background_loop import run
    from share_actors.events.share.backend_change import ChangeBackend

    requests = system._system._requests
    run(requests.ask(share_id, ChangeBackend(old="new", host="old#old")))
