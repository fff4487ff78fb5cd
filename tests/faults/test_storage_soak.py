"""A minute of load and `kill -9` on a real system over btrfs and NFS-Ganesha, then a check of its data."""

from __future__ import annotations

import pytest

from share_actors.cli.demo.storage_machine import require_storage
from share_actors.errors import Refused
from tests.faults.reconciliation import ZEROS
from tests.faults.soak import KILLS_PER_MINUTE
from tests.faults.storage_soak import run
from tests.storage.conftest import PROGRAMS, need

MINUTES = 0.5
CLIENTS = 4


@pytest.mark.timeout(
    900
)  # half a minute, and the longest waits for load, clients and settled shares
@pytest.mark.usefixtures("cluster")
def test_kills_of_a_system_and_its_nfs_server_leave_only_zeros() -> None:
    need(PROGRAMS)
    try:
        require_storage()
    except Refused as error:
        pytest.skip(error.message)

    report = run(MINUTES, seed=20261127, clients_count=CLIENTS)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert report["kills"]["processes"] >= KILLS_PER_MINUTE * MINUTES
    assert report["kills"].keys() & {"ganesha.nfsd", "dbus-daemon", "supervisor"}
