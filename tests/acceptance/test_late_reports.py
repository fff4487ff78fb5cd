"""Backends whose first report is late: shares are created all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import NewSite


@pytest.mark.parametrize("backend", [None, "slow"])
def test_a_share_is_created_although_the_first_report_of_its_backend_is_late(
    new_site: NewSite, tmp_path: Path, backend: str | None
) -> None:
    hanging = {"hang": {"get_share_stats": 1}, "hang_s": 8.0, "directory": str(tmp_path)}
    site = new_site(
        backends={"slow": {"driver": "dummy", "options": hanging}},
        scheduler={"first_stats_s": 0.5},
        default_backend=None,
    )

    share = site.system.create_share(size=1, backend=backend)

    assert (share.status, share.seen.host) == ("available", "slow#slow")
    topics = [recorded.event.topic for recorded in share.history()]
    assert not [topic for topic in topics if "failed" in topic], topics
