"""Faults of machines under load, which are in the soak, and what they are made with."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.faults.reconciliation import ZEROS
from tests.machines import faults
from tests.machines.lan import environment, lan
from tests.machines.postgres import Postgres, unusable
from tests.storage.needs import needs

pytestmark = [
    needs("ip", "tc"),
    pytest.mark.skipif(bool(unusable()), reason=unusable()),
    pytest.mark.timeout(600),
]
LOCKS = "SELECT mode FROM pg_locks WHERE locktype = 'advisory'"
NO_ZERO = dict.fromkeys(ZEROS, 0)


def wrongs(report: dict[str, object]) -> dict[str, object]:
    return {name: report[name] for name in ZEROS}


@pytest.mark.soak
@pytest.mark.parametrize("name", faults.FAULTS)
def test_nothing_is_lost_by_a_fault(name: str, short_path: Path) -> None:
    report = faults.outcome(name, short_path, clients_count=8)

    assert wrongs(report) == NO_ZERO, report["wrong"]


def test_a_cut_link_leaves_both_sides_running(short_path: Path) -> None:
    with lan(short_path) as net:
        one, other = net.add("one"), net.add("other")
        running = other.start(["sleep", "1000"])
        assert one.reaches(other)

        other.cut()

        assert not one.reaches(other)
        assert running.poll() is None
        other.mend()
        assert one.reaches(other)
    assert running.wait(60)


def test_locks_in_the_database_are_free_soon_after_their_holder_was_cut_off(
    short_path: Path,
) -> None:
    os.chmod(short_path, 0o755)  # PostgreSQL runs as nobody
    with lan(short_path) as net:
        database = Postgres(net.add("database"), short_path / "data")
        database.create()
        database.start()
        near, far = net.add("near"), net.add("far")
        words = [sys.executable, "-m", "tests.machines.sessions"]
        env = environment(PYTHONPATH=str(Path.cwd()))
        to = database.machine.address
        with far.start([*words, "hold", to], env=env, stdin=PIPE, stdout=PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            assert database.query(LOCKS)

            far.cut()

            near.run(*words, "append", to, env=env)
            while database.query(LOCKS):  # as long as the test may take
                time.sleep(0.1)
            assert holder.poll() is None
            holder.kill()
