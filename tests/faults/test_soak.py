"""A short `make soak`: a minute of load and `kill -9` on a real system, then a check of its data."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import NewSite, new_site, postgres_server
from tests.faults.dummy_backends import SETTINGS, slow
from tests.faults.reconciliation import ZEROS
from tests.faults.soak import KILLS_PER_MINUTE, MIN_COMMANDS, soak

__all__ = ["new_site", "postgres_server"]
MINUTES = 1.0
CLIENTS = 8
"""Half as many as `make soak` has: other tests run at the same time."""


@pytest.mark.timeout(900)  # a minute, and the longest waits for load, clients and settled shares
def test_a_minute_of_kills_leave_only_zeros(new_site: NewSite) -> None:
    site = new_site(**SETTINGS)
    site.config = slow(site)

    report = soak(site, MINUTES, seed=20260314, clients_count=CLIENTS)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert report["kills"]["processes"] >= KILLS_PER_MINUTE * MINUTES
    assert report["commands"] > MIN_COMMANDS
    assert report["attempts after the first"] > 0
