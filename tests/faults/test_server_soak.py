"""The networks of the soak test of share servers."""

from __future__ import annotations

from pathlib import Path

from share_actors.drivers.namespaces.network import is_interface
from share_actors.testing.leftovers import own_directory, release_directory
from tests.faults.server_soak import client_networks
from tests.storage.conftest import PROGRAMS, need


def bridges(top: Path) -> list[str]:
    return [path.name for path in top.glob("clients/servers/*")]


def test_the_bridges_of_a_killed_run_are_removed_with_its_directory() -> None:
    need(PROGRAMS)
    with own_directory() as top, client_networks(top / "served"):
        made = bridges(top)
        assert [is_interface(name) for name in made] == [True, True]

        release_directory(top)

        assert [is_interface(name) for name in made] == [False, False]
