"""Recorded commands and choices of pools, decided again by changed code, policy and configuration."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.audit.reading.reader import open_reader
from share_actors.audit.replay import what_if
from share_actors.audit.replay.decide_again import decide_again
from share_actors.audit.replay.what_if import Decided
from share_actors.config import Config, LogSettings, build
from share_actors.events import share
from share_actors.events.backend import BackendUp
from share_actors.events.decider import Rejected
from share_actors.events.log import Log
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied, AllowAccess
from share_actors.events.share.resize import ExtendShare
from share_actors.policy import OPERATIONS, Role, decisions
from share_actors.values import Capabilities, Placement, Pool
from tests.audit.conftest import HOME, NOON, Told, opened, write
from tests.events.share_events import began, requested
from tests.golden.released_logs import log_of

HERE = build({})
EXPECTED = {"0.1.0": {}, "0.2.0": {"refused": 1, "other_fields": 1}}
"""The stream of the network and that of the type in the log of 0.2.0 hold an example of each event; no
commands led to them."""


def decided(log: Path, other: Config | None = None) -> Decided:
    with open_reader(log) as reader:
        return decide_again(reader, HERE, other)


@pytest.mark.parametrize("release", ["0.1.0", "0.2.0"])
def test_the_commands_of_a_release_come_to_the_same_events_now(release: str) -> None:
    found = decided(log_of(release))

    assert found.differing == EXPECTED[release]
    assert {e.stream for e in found.examples if e.stream.startswith("share-")} == set()
    assert found.decided > found.commands * 0.8


def test_what_was_not_recorded_as_a_command_is_counted_by_kind() -> None:
    found = decided(log_of("0.1.0"))

    assert found.not_decided["share.errored"] > 0
    assert found.commands == found.decided + sum(found.not_decided.values())


def test_an_outcome_and_the_next_attempt_in_one_batch_are_two_commands(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    second = AccessAllowed(
        access_id="r2", access_type="ip", access_to="10.1.0.0/16", access_level="rw"
    )
    with closing(Log.open(LogSettings(), path)) as log:
        write(log, "share-s1", HOME[:3])
        write(log, "share-s1", [(10, opened("r1"), "c-1"), (11, began("access"))])
        write(log, "share-s1", [(12, second, "c-2")])
        write(log, "share-s1", [(14, AccessRulesApplied(applied=("r1",))), (14, began("access"))])

    found = decided(path)

    assert (found.differing, found.not_decided) == ({}, {})


# -- changed code and policy ---------------------------------------------------------------------
def test_a_command_that_is_refused_now_is_named_with_the_reason(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = share.decide

    def without_growth(command: Any, state: Any) -> Any:
        if isinstance(command, ExtendShare):
            raise Rejected("shares do not grow")
        return decide(command, state)

    monkeypatch.setattr(share, "decide", without_growth)

    (example,) = [e for e in decided(log_path).examples if e.command == "share.extend"]
    assert (example.kind, example.stream, example.version) == ("refused", "share-s1", 6)
    assert (example.recorded, example.now) == ("share.resize_requested", "shares do not grow")
    assert (example.command_id, example.at) == ("c-extend", NOON + timedelta(seconds=20))


def test_a_command_that_comes_to_other_content_names_the_field(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = share.decide

    def read_only(command: Any, state: Any) -> Any:
        events = decide(command, state)
        if isinstance(command, AllowAccess):
            return [event.replace(access_level="ro") for event in events]
        return events

    monkeypatch.setattr(share, "decide", read_only)

    differences = [e for e in decided(log_path).examples if e.command == "access.allow"]
    assert [(e.kind, e.stream) for e in differences] == [
        ("other_fields", "share-s1"),
        ("other_fields", "share-s2"),
    ]
    assert differences[0].now == "other values of access.allowed: access_level"


def test_a_command_that_the_policy_permits_no_more_is_forbidden(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stricter = {**OPERATIONS, "share.extend": Role.ADMIN}
    for module in (decisions, what_if):
        monkeypatch.setattr(module, "OPERATIONS", stricter)

    (example,) = [e for e in decided(log_path).examples if e.kind == "forbidden"]

    assert example.now == "share.extend is not permitted to member of demo"


def test_a_command_that_is_not_valid_any_more_names_the_problem(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_commands(self: Any, **fields: Any) -> None:
        raise ValidationError.from_exception_data(
            "ExtendShare", [{"type": "missing", "loc": ("why",), "input": {}}]
        )

    monkeypatch.setattr(ExtendShare, "__init__", no_commands)

    (example,) = [e for e in decided(log_path).examples if e.kind == "invalid"]

    assert example.now == "why: Field required"


# -- another configuration -----------------------------------------------------------------------
@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """A log with two pools, of which one has more room and the other more goodness, and one choice."""
    pools = tuple(
        Pool(name=name, total_capacity_gib=total, free_capacity_gib=total, goodness=goodness)
        for name, total, goodness in (("large", 100.0, 0.0), ("good", 90.0, 5.0))
    )
    capabilities = Capabilities(
        backend_name="nas",
        driver_name="dummy",
        storage_protocols=("NFS",),
        access_types=("ip",),
        pools=pools,
    )
    placement = Placement(filters="capacity", weights={"nas#large": 1.0, "nas#good": 0.95})
    chosen = requested("s1", host="nas#large").replace(placement=placement)
    report: list[Told] = [
        (0, BackendUp(backend="nas", capabilities=capabilities, wrong={}, at=NOON))
    ]
    with closing(Log.open(LogSettings(), tmp_path / "placed.db")) as log:
        write(log, "backend-nas", report)
        write(log, "share-s1", [(1, chosen, "c-create")])
    return tmp_path / "placed.db"


def configured(**scheduler: float) -> Config:
    return build({"scheduler": scheduler, "backends": {"nas": {"driver": "dummy"}}})


def test_the_choice_of_a_pool_is_reproduced_from_the_recorded_reports(placed: Path) -> None:
    found = decided(placed, configured())

    assert (found.ok, found.placements, found.placements_not_reproduced) == (True, 1, 0)


def test_another_weight_chooses_another_pool(placed: Path) -> None:
    found = decided(placed, configured(goodness_weight=10.0))

    (example,) = found.examples
    assert (example.kind, example.recorded) == ("other_pool", "on nas#large")
    assert example.now == "on nas#good (weights: nas#large 1, nas#good 1.4)"


def test_a_configuration_without_the_backend_has_no_pool(placed: Path) -> None:
    found = decided(placed, build({"backends": {"other": {"driver": "dummy"}}}))

    assert found.differing == {"no_pool": 1}


def test_a_choice_that_the_reports_do_not_lead_to_is_counted_and_no_difference(
    placed: Path,
) -> None:
    with closing(Log.open(LogSettings(), placed)) as log:
        elsewhere = requested("s2", host="gone#pool").replace(placement=Placement())
        write(log, "share-s2", [(2, elsewhere, "c-second")])

    found = decided(placed, configured())

    assert (found.ok, found.placements, found.placements_not_reproduced) == (True, 2, 1)
