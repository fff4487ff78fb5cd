"""Auditing a backend of a whole system, and applying what is recorded again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors import sentence
from share_actors.cli.session import Session
from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import ConfigError, NotFound, Refused
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from tests.command_tree import invoke


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    """A system with a `dummy` backend, whose files are in `fast`, a slow one, and a `local` one."""
    backends: dict[str, Any] = {
        "fast": {"driver": "dummy", "options": {"directory": str(tmp_path / "fast")}},
        "hung": {
            "driver": "dummy",
            "options": {
                "directory": str(tmp_path / "hung"),
                "hang": ["manage_existing"],
                "hang_s": 2,
            },
        },
        "disk": {"driver": "local", "options": {"root": str(tmp_path / "disk")}},
    }
    with sync_system(Config(home=tmp_path, backends=backends), durable=True) as system:
        yield system


@pytest.fixture
def storage(tmp_path: Path) -> DummyBackend:
    """The files of the backend `fast`."""
    return DummyBackend(tmp_path / "fast")


def kinds(system: SyncInProcessSystem, backend: str = "fast") -> list[tuple[str, str | None]]:
    return [(d.kind, d.id) for d in system.backends.audit(backend)]


def test_an_audit_of_untouched_backends_finds_nothing(system: Any) -> None:
    for backend in ("fast", "disk"):
        share = system.create_share(size=1, backend=backend)
        share.create_snapshot("s")

        assert kinds(system, backend) == []


def test_an_audit_finds_what_was_changed_by_hand(
    system: SyncInProcessSystem, storage: DummyBackend
) -> None:
    lost, changed = (system.create_share(size=1, backend="fast") for _ in range(2))
    changed.allow_access("10.0.0.7", type="ip")
    storage.drop_share(lost.id)
    storage.change_share(changed.id, size=7, rules={})
    storage.add_share("stranger", 3)

    assert sorted(kinds(system)) == sorted(
        [("lost", lost.id), ("rules", changed.id), ("size", changed.id), ("unknown", "stranger")]
    )


def test_a_directory_beside_the_shares_of_a_local_backend_is_unknown(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    assert kinds(system, "disk") == []  # so it is set up
    (tmp_path / "disk" / "shares" / "old data").mkdir()

    (difference,) = system.backends.audit("disk")

    assert (difference.kind, difference.id) == ("unknown", None)
    assert difference.location == str(tmp_path / "disk" / "shares" / "old data")


def test_reapplying_a_share_puts_its_rules_back_on_the_backend(
    system: SyncInProcessSystem, storage: DummyBackend
) -> None:
    share = system.create_share(size=1, backend="fast")
    rule = share.allow_access("10.0.0.7", type="ip")
    storage.change_share(share.id, rules={})

    share.reapply()

    assert set(storage.rules(share.id)) == {rule.id}
    assert [r.state for r in share.refresh().access_rules] == ["active"]
    assert kinds(system) == []
    assert "ShareReapplyRequested" in [type(r.event).__name__ for r in share.history()]


def test_a_backend_that_cannot_be_listed_is_not_audited(tmp_path: Path) -> None:
    config = Config(home=tmp_path, backends={"blind": {"driver": "dummy"}})

    with (
        sync_system(config, durable=True) as system,
        pytest.raises(Refused, match="what is on backend 'blind' cannot be listed"),
    ):
        system.backends.audit("blind")


def test_an_audit_of_an_unknown_backend_names_the_backends_that_exist(system: Any) -> None:
    with pytest.raises(ConfigError, match="disk"):
        system.backends.audit("slow")


def forgotten(system: SyncInProcessSystem, backend: str) -> str:
    """The id of a share that only the backend has."""
    share = system.create_share(size=2, backend=backend)
    share.forget("by mistake")
    return share.id


@pytest.mark.parametrize("backend", ["fast", "disk"])
def test_a_share_that_only_the_backend_has_is_deleted_and_its_history_says_by_whom(
    system: SyncInProcessSystem, backend: str
) -> None:
    share_id = forgotten(system, backend)
    assert kinds(system, backend) == [("unknown", share_id)]

    deleted = system.backends.delete_unknown(backend, share_id)

    assert (deleted.status, kinds(system, backend)) == ("deleted", [])
    history = [sentence(recorded) for recorded in system.share(share_id).history()]
    who = f"{system.context.user_id} (project {system.context.project_id})"
    assert f"{who} asked to delete what only the backend has" in history[-3]
    assert "the backend deleted it" in history[-1]


def test_what_was_never_in_the_log_is_deleted(
    system: SyncInProcessSystem, storage: DummyBackend
) -> None:
    kinds(system)
    storage.add_share("stranger", 3)

    deleted = system.backends.delete_unknown("fast", "stranger")

    assert (deleted.status, deleted.size, deleted.backend) == ("deleted", 3, "fast")
    assert kinds(system) == []


def test_what_has_no_id_is_managed_and_deleted_and_its_history_says_by_whom(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    kinds(system, "disk")  # so it is set up
    old = tmp_path / "disk" / "shares" / "old data"
    old.mkdir()
    (old / "file").write_text("gone")

    deleted = system.backends.delete_unknown("disk", str(old))

    assert (deleted.status, kinds(system, "disk")) == ("deleted", [])
    assert not list((tmp_path / "disk").rglob("file"))
    history = [sentence(recorded) for recorded in system.share(deleted.id).history()]
    assert str(old) in history[0]
    assert f"{system.context.user_id} (project" in history[0]


def test_a_share_that_the_log_has_is_not_deleted_as_unknown(
    system: SyncInProcessSystem, storage: DummyBackend
) -> None:
    share = system.create_share(size=1, backend="fast")

    with pytest.raises(NotFound, match="is unknown on backend 'fast'"):
        system.backends.delete_unknown("fast", share.id)

    assert set(storage.shares()) == {share.id}


@pytest.mark.parametrize("backend", ["fast", "disk"])
def test_a_snapshot_that_only_the_backend_has_is_deleted_and_the_history_says_by_whom(
    system: SyncInProcessSystem, backend: str
) -> None:
    share = system.create_share(size=1, backend=backend)
    snapshot = share.create_snapshot("s")
    share.forget_snapshot(snapshot.id, "by mistake")
    assert kinds(system, backend) == [("unknown", snapshot.id)]

    system.backends.delete_unknown(backend, snapshot.id)

    assert kinds(system, backend) == []
    assert share.refresh().snapshots == ()
    told = [sentence(recorded) for recorded in share.history()]
    who = f"{system.context.user_id} (project {system.context.project_id})"
    assert any(f"{who} asked to delete what only the backend has" in text for text in told[-4:])


@pytest.mark.parametrize("backend", ["fast", "disk"])
def test_a_snapshot_of_a_deleted_share_is_managed_as_a_share_and_deleted(
    system: SyncInProcessSystem, backend: str
) -> None:
    share = system.create_share(size=1, backend=backend)
    snapshot = share.create_snapshot("s")
    share.forget_snapshot(snapshot.id, "by mistake")
    share.delete()
    [left] = system.backends.audit(backend)

    deleted = system.backends.delete_unknown(backend, snapshot.id)

    assert "--option snapshot=true" in left.next_step
    assert (deleted.status, kinds(system, backend)) == ("deleted", [])
    assert "snapshot=True" in sentence(system.share(deleted.id).history()[0])


def test_a_snapshot_without_an_id_is_deleted_by_its_location(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    kinds(system, "disk")  # so it is set up
    taken = tmp_path / "disk" / "snapshots" / "taken by hand"
    taken.mkdir()

    assert system.backends.delete_unknown("disk", str(taken)).status == "deleted"

    assert kinds(system, "disk") == []
    assert not taken.exists()


def test_a_snapshot_whose_share_only_the_backend_has_too_is_not_deleted(
    system: SyncInProcessSystem, storage: DummyBackend
) -> None:
    kinds(system)
    storage.add_share("stranger", 3)
    storage.add_snapshot("stranger", "n1")

    with pytest.raises(Refused, match="of share stranger, which only the backend has too"):
        system.backends.delete_unknown("fast", "n1")

    assert "n1" in storage.snapshots()


def test_nothing_unknown_is_deleted_while_a_share_of_the_backend_is_being_managed(
    system: SyncInProcessSystem, tmp_path: Path
) -> None:
    storage = DummyBackend(tmp_path / "hung")
    kinds(system, "hung")  # so it is set up
    storage.add_share("stranger", 3)
    system.manage_share({"size": 1}, backend="hung", wait=False)

    with pytest.raises(Refused, match="of backend 'hung' is being managed"):
        system.backends.delete_unknown("hung", "stranger")

    assert "stranger" in storage.shares()


# -- the command line ----------------------------------------------------------------------------
@pytest.fixture
def audit(system: SyncInProcessSystem, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`backend audit` on the system in this process; returns its JSON."""
    monkeypatch.setattr(Session, "system", property(lambda _: system))

    def run(*options: str) -> Any:
        result = invoke(["--json", "backend", "audit", *options])
        return json.loads(result.stdout or result.stderr)

    return run


def test_nothing_is_deleted_adopted_or_applied_without_apply(
    system: SyncInProcessSystem, storage: DummyBackend, audit: Callable[..., Any]
) -> None:
    share_id = forgotten(system, "fast")
    changed = system.create_share(size=1, backend="fast")
    storage.change_share(changed.id, size=7)
    found = kinds(system)

    for options in (("--delete-unknown", share_id), ("--adopt", share_id), ("--reapply",)):
        told = audit("fast", *options)
        assert (told["applied"], len(told["acts"])) == (False, 1)

    assert kinds(system) == found


def test_the_command_line_deletes_and_adopts_what_only_the_backend_has(
    system: SyncInProcessSystem, tmp_path: Path, audit: Callable[..., Any]
) -> None:
    share_id = forgotten(system, "disk")
    old = tmp_path / "disk" / "shares" / "old"
    old.mkdir()
    (old / "file").write_text("kept")

    deleted = audit("disk", "--delete-unknown", share_id, "--apply")
    adopted = audit("disk", "--adopt", str(old), "--apply")

    assert [act["id"] for act in deleted["acts"]] == [share_id]
    assert [act["location"] for act in adopted["acts"]] == [str(old)]
    assert kinds(system, "disk") == []
    assert len(list((tmp_path / "disk" / "shares").glob("*/file"))) == 1


def test_only_what_is_unknown_can_be_deleted_or_adopted(
    system: SyncInProcessSystem, audit: Callable[..., Any]
) -> None:
    share = system.create_share(size=1, backend="fast")

    for option in ("--delete-unknown", "--adopt"):
        for named in (share.id, "/no/such/place"):
            assert audit("fast", option, named, "--apply")["error"]["code"] == "not_found"

    assert share.refresh().status == "available"


def test_apply_alone_is_refused(audit: Callable[..., Any]) -> None:
    assert audit("fast", "--apply")["error"]["field"] == "apply"
