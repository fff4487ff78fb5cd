"""Admission by quotas in random histories: never over a limit, never refused without need, no drift."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.actors.quota_histories import History


@pytest.mark.parametrize("seed", range(6))
def test_in_any_history_what_is_counted_is_what_a_recount_comes_to(
    tmp_path: Path, seed: int
) -> None:
    history = History(tmp_path, seed)
    try:
        history.run(250)
    finally:
        history.close()

    assert history.admitted > 10
    assert history.refused > 10
