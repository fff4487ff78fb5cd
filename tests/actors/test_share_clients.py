"""Who is connected to a share, from its driver to the client and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli.session import Session
from share_actors.config import Config
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.registry import drivers_registered
from share_actors.errors import Refused, Unavailable
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from share_actors.values import Share, ShareClient
from tests.command_tree import invoke

CLIENT = ShareClient(address="10.0.0.7", protocol="NFSv3", bytes_read=5, operations=1)


class TellingDriver(DummyDriver):
    """Tells the same clients of each share."""

    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        return [CLIENT]


class FailingDriver(DummyDriver):
    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        raise OSError("the server is gone")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    backends: dict[str, Any] = {
        "told": {"driver": "telling"},
        "gone": {"driver": "failing"},
        "disk": {"driver": "local", "options": {"root": str(tmp_path / "disk")}},
    }
    drivers = {"telling": TellingDriver, "failing": FailingDriver}
    with (
        drivers_registered(drivers),
        sync_system(Config(home=tmp_path, backends=backends), durable=True) as system,
    ):
        yield system


def test_a_local_backend_says_that_it_cannot_tell(system: SyncInProcessSystem) -> None:
    share = system.create_share(size=1, backend="disk")

    with pytest.raises(Refused, match="backend 'disk' cannot tell who is connected"):
        share.clients()


def test_the_clients_are_those_that_the_driver_tells(
    system: SyncInProcessSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = system.create_share(size=1, backend="told")
    monkeypatch.setattr(Session, "system", property(lambda _: system))

    shown = invoke(["--json", "share", "clients", share.id])
    table = invoke(["share", "clients", share.id])

    assert share.clients() == [CLIENT]
    assert json.loads(shown.stdout)["clients"] == [CLIENT.model_dump(mode="json")]
    assert "10.0.0.7" in table.stdout


def test_a_driver_that_fails_is_unavailable(system: SyncInProcessSystem) -> None:
    share = system.create_share(size=1, backend="gone")

    with pytest.raises(Unavailable, match="could not list clients"):
        share.clients()
