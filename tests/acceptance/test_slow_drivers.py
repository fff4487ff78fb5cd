"""Hundreds of driver calls that hang on one backend, beside another backend that is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from share_actors.client import ShareSystem
from share_actors.drivers.dummy.backend import DummyBackend
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, kill, made

FOR_EVER = 3600.0
many = pytest.mark.parametrize("calls", [200, pytest.param(1_000, marks=pytest.mark.soak)])


def site_of(new_site: NewSite, directory: Path, calls: int) -> Site:
    """Two share actors; the first creation of each share on the backend `stuck` hangs."""
    hangs = {"directory": str(directory), "hang": {"create_share": 1}, "hang_s": FOR_EVER}
    stuck = {"driver": "dummy", "threads": calls, "timeout_s": FOR_EVER, "options": hangs}
    return new_site(
        backends={"stuck": stuck, "well": {"driver": "dummy"}},
        hosting={"min_actors": 1, "max_actors": 1},
    )


def begin(system: ShareSystem, directory: Path, calls: int) -> list[str]:
    """Have so many calls hang at once; the ids of their shares."""
    asked: list[dict[str, Any]] = [{"size": 1, "backend": "stuck"}] * calls
    ids = [made(share).id for share in system.create_shares(asked, wait=False)]
    eventually(lambda: len(DummyBackend(directory).calls("create_share")) == calls)
    return ids


@many
def test_calls_that_hang_delay_no_other_backend_and_settle_after_a_kill_of_their_process(
    new_site: NewSite, tmp_path: Path, calls: int
) -> None:
    site = site_of(new_site, tmp_path, calls)
    ids = begin(site.system, tmp_path, calls)

    assert site.system.create_share(size=1, backend="well").status == "available"
    assert site.system.count_shares(backend="stuck") == {"creating": calls}

    kill(*site.share_actor_pids())
    assert site.system.create_share(size=1, backend="well").status == "available"
    eventually(lambda: site.system.count_shares(backend="stuck") == {"available": calls})
    assert DummyBackend(tmp_path).shares().keys() == set(ids)


@many
def test_a_stop_cuts_off_hundreds_of_calls_that_hang_and_they_are_made_again(
    new_site: NewSite, tmp_path: Path, calls: int
) -> None:
    site = site_of(new_site, tmp_path, calls)
    ids = begin(site.system, tmp_path, calls)

    cut_off = site.system.stop(timeout=0.0)

    assert {call["id"] for call in cut_off} == set(ids)
    assert {call["work"] for call in cut_off} == {"create"}
    site.stop()
    eventually(lambda: site.system.count_shares(backend="stuck") == {"available": calls})
