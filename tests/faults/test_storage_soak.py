"""Load and `kill -9` on real systems over btrfs, on NFS servers and share servers; then a check of data."""

from __future__ import annotations

import pytest

from share_actors.cli.demo.storage_machine import require_storage
from share_actors.errors import Refused
from tests.faults.reconciliation import ZEROS
from tests.faults.server_soak import run as run_servers
from tests.faults.soak import KILLS_PER_MINUTE
from tests.faults.storage_soak import run
from tests.storage.conftest import PROGRAMS, need

MINUTES = 0.5
SHORT = 0.2
CLIENTS = 4


@pytest.mark.timeout(
    900
)  # half a minute, and the longest waits for load, clients and settled shares
@pytest.mark.usefixtures("cluster")
def test_kills_of_a_system_and_its_nfs_servers_leave_only_zeros() -> None:
    _need_storage()

    report = run(MINUTES, seed=20261127, clients_count=CLIENTS)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert report["kills"]["processes"] >= KILLS_PER_MINUTE * MINUTES
    assert report["NFS servers"] > 1
    assert report["kills"].keys() & {"ganesha.nfsd", "dbus-daemon", "supervisor"}


@pytest.mark.timeout(900)  # as above
@pytest.mark.usefixtures("cluster")
def test_kills_of_a_system_and_its_share_servers_leave_only_zeros_and_then_nothing() -> None:
    _need_storage()

    report = run_servers(SHORT, seed=20261127, clients_count=2)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert report["share servers"] > 1
    assert report["left"] == 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("cluster")
def test_minutes_of_kills_of_share_servers_whose_clients_write_leave_only_zeros() -> None:
    _need_storage()

    report = run_servers(5.0, seed=20261128, clients_count=CLIENTS)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert report["kills"].keys() & {"ganesha.nfsd", "dbus-daemon", "supervisor"}
    assert (report["left"], report["visits"] > 0) == (0, True)


def _need_storage() -> None:
    need(PROGRAMS)
    try:
        require_storage()
    except Refused as error:
        pytest.skip(error.message)
