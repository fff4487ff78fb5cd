"""How often hosts report: their reports together take a bounded part of the manager's time."""

from __future__ import annotations

import pytest

from share_actors.actors.hosting.timings import MOST_REPORTS_A_S, SupervisorTimings


def test_few_hosts_report_every_second() -> None:
    assert SupervisorTimings().report_pause_s(8) == 1.0


@pytest.mark.parametrize("hosts", [101, 1_000, 16_000])
def test_many_hosts_together_send_a_bounded_number_of_reports(hosts: int) -> None:
    assert hosts / SupervisorTimings().report_pause_s(hosts) == pytest.approx(MOST_REPORTS_A_S)
