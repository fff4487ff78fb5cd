"""Auditing a backend of a whole system, and applying what is recorded again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import Config
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import ConfigError, Refused
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    """A system with a `dummy` backend, whose files are in `fast`, and a `local` one."""
    backends: dict[str, Any] = {
        "fast": {"driver": "dummy", "options": {"directory": str(tmp_path / "fast")}},
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
