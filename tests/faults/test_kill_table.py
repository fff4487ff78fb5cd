"""A few rows of the kill test's table; `python -m tests.faults.kill_table` makes all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill_table import IN_FLIGHT, measured


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("verb", "delay_s", "how"),
    [
        ("create", 2.0, "kill -9"),
        ("delete", 0.0, "kill -9"),
        ("allow", 2.0, "SIGTERM"),
        pytest.param("create", 0.0, "SIGTERM", marks=pytest.mark.soak),
        pytest.param("extend", 2.0, "down", marks=pytest.mark.soak),
        ("deny", 0.0, "down"),
    ],
)
def test_of_a_hundred_requests_in_flight_none_is_stuck_or_lost(
    tmp_path: Path, verb: str, delay_s: float, how: str
) -> None:
    row = measured(tmp_path, verb, delay_s, how)

    assert row.acknowledged >= IN_FLIGHT / 2
    assert (row.ended, row.stuck, row.lost) == (row.acknowledged, 0, 0)
