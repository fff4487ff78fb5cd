"""Faults of machines under load, which are in the soak, and what they are made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.reconciliation import ZEROS
from tests.machines import faults
from tests.machines.lan import lan
from tests.machines.postgres import unusable
from tests.storage.needs import needs

pytestmark = [
    needs("ip", "tc"),
    pytest.mark.skipif(bool(unusable()), reason=unusable()),
    pytest.mark.timeout(600),
]
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
