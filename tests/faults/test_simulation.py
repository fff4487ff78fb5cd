"""No death at any point leaves anything stuck, lost, duplicated or orphaned, and the oracle detects each.

`python -m tests.faults` does more of the same, counts, and replays single cases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.actors.entity import stream
from share_actors.events import share
from share_actors.events.share.messages import DeleteShare
from tests.events.test_share_properties import requests
from tests.faults.backend import SteppingDriver, Storage
from tests.faults.cases import judged, pairs, random_case, replay_command, run, singles
from tests.faults.oracle import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.simulation import Case, Fault, create

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
by_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


# -- every death ---------------------------------------------------------------------------------
@by_scenario
@pytest.mark.parametrize("probes", [True, False])
def test_a_death_at_any_point_leads_to_the_same_final_state(scenario: str, probes: bool) -> None:
    undisturbed = run(Case(SCENARIOS[scenario], probes=probes))
    expected = Verdict(undisturbed).state.share.status

    for case in singles(scenario, probes=probes):
        world = judged(case, replay_command(scenario, case))

        assert len(world.died_at) == 1
        assert Verdict(world).state.share.status == expected
        assert world.replies.keys() == undisturbed.replies.keys()


@by_scenario
def test_two_deaths_at_any_points_leave_nothing_wrong(scenario: str) -> None:
    for case in pairs(scenario):
        assert len(judged(case, replay_command(scenario, case)).died_at) == 2


@by_scenario
def test_two_rival_activations_do_not_undo_each_others_work(scenario: str) -> None:
    for case in singles(scenario, rivals=True):
        judged(case, replay_command(scenario, case))


@by_scenario
def test_acknowledged_commands_are_done_without_another_call_of_the_client(scenario: str) -> None:
    for case in singles(scenario, forgetful=True):
        judged(case, replay_command(scenario, case))


# -- random histories -------------------------------------------------------------------------
groups = st.lists(
    st.lists(
        st.one_of(requests, st.builds(DeleteShare, cascade=st.booleans())), min_size=1, max_size=3
    ),
    max_size=5,
)
histories = st.builds(
    lambda asked, **others: Case(((create(5),), *(tuple(group) for group in asked)), **others),
    asked=groups,
    deaths=st.frozensets(st.integers(1, 80), max_size=4),
    faults=st.lists(st.sampled_from(get_args(Fault)), max_size=8).map(tuple),
    probes=st.booleans(),
    rivals=st.booleans(),
    forgetful=st.booleans(),
    back_s=st.sampled_from((0.0, 3600.0)),
    seed=st.integers(0, 1000),
)


@settings(max_examples=500, deadline=None)
@given(histories)
def test_no_generated_history_leaves_anything_wrong(case: Case) -> None:
    judged(case, f"it is {case!r}")


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_random_histories_leave_nothing_wrong(seed: int) -> None:
    for each in range(seed, seed + 100):
        judged(random_case(each), f"python -m tests.faults --random {each}")


def test_the_same_case_runs_the_same_to_the_last_event() -> None:
    first, second = run(random_case(11)), run(random_case(11))

    assert [r.event for r in first.log.read("share-s")] == [
        r.event for r in second.log.read("share-s")
    ]
    assert first.died_at == second.died_at
    assert first.points == second.points


# -- the oracle detects ------------------------------------------------------------------------------
def detected(scenario: str, **options: Any) -> set[str]:
    """The kinds of errors in all single deaths of *scenario*."""
    wrong: set[str] = set()
    for case in singles(scenario, **options):
        wrong |= Verdict(run(case)).wrong().keys()
    return wrong


def test_the_oracle_detects_stuck_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "pending", lambda state: None)

    assert Verdict(run(Case(SCENARIOS["create"]))).stuck


def test_the_oracle_detects_an_acknowledgement_before_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append = stream.EntityStream.append

    def hasty(self: Any, entries: Sequence[Any]) -> Any:
        recorded, durable = append(self, entries)
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answered.set_result(())
        durable.add_done_callback(lambda _: None)
        return recorded, answered

    monkeypatch.setattr(stream.EntityStream, "append", hasty)

    assert "lost" in detected("create", forgetful=True)


def test_the_oracle_detects_duplicates_on_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Storage, "of", lambda self, kind, tag: None)

    assert "duplicated" in detected("create", probes=False)


def test_the_oracle_detects_orphans_on_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SteppingDriver, "delete_share", lambda *_: None)

    assert "orphaned" in detected("delete")


def test_the_oracle_detects_refusals_and_views_of_a_stale_activation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unchecked(_: Any) -> bool:
        return True

    monkeypatch.setattr(stream.EntityStream, "is_current", unchecked)

    cases = [replace(random_case(seed), rivals=True) for seed in range(70, 140)]
    wrong = [Verdict(run(case)).wrong().keys() for case in cases]
    assert {"refused", "stale"} <= set().union(*wrong)


def test_the_oracle_detects_wrong_replies_to_clients() -> None:
    world = run(Case(SCENARIOS["delete"]))
    world.replies["c1.0"].status = "failed"

    assert Verdict(world).lied


def test_a_backend_that_accepts_overtaken_calls_ends_up_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fencing token prevents this: the driver refuses overtaken calls."""
    late = Case(SCENARIOS["delete"], faults=("hangs", "", ""))
    assert not Verdict(run(late)).wrong()

    monkeypatch.setattr(Storage, "enter", lambda *_: None)

    assert any(Verdict(run(each)).orphaned for each in _seeds(late))


def _seeds(case: Case) -> list[Case]:
    return [Case(case.groups, faults=case.faults, seed=seed) for seed in range(20)]


def test_an_effect_of_a_driver_without_probe_is_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    made: Callable[..., Any] = SteppingDriver.create_share

    def counted(self: Any, *args: Any) -> Any:
        calls.append("create")
        return made(self, *args)

    monkeypatch.setattr(SteppingDriver, "create_share", counted)
    exported = next(c for c in singles("create") if "exported" in run(c).died_at[0])
    calls.clear()

    run(exported)
    with_probe = len(calls)
    run(Case(exported.groups, exported.deaths, probes=False))

    assert (with_probe, len(calls)) == (1, 3)
