"""No death at any point leaves anything stuck, lost, duplicated or orphaned, and the oracle detects each.

`python -m tests.faults` does more of the same, counts, and replays single cases; `mutants.py` breaks code.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.events.share.messages import DeleteShare
from share_actors.events.share.snapshot.holds import HoldCommand
from tests.events.share_walks import requests
from tests.faults.backend import SteppingDriver
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


@pytest.mark.soak
@by_scenario
def test_two_deaths_at_any_points_leave_nothing_wrong(scenario: str) -> None:
    for case in pairs(scenario):
        assert len(judged(case, replay_command(scenario, case)).died_at) == 2


@by_scenario
def test_two_deaths_at_many_points_leave_nothing_wrong(scenario: str) -> None:
    for case in islice(pairs(scenario), 0, None, 4):
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
of_clients = requests.filter(lambda command: not isinstance(command, HoldCommand))
"""Without holds of snapshots: the shares that send them, and end them, are not in this world."""
groups = st.lists(
    st.lists(
        st.one_of(of_clients, st.builds(DeleteShare, cascade=st.booleans())), min_size=1, max_size=3
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


@settings(max_examples=200, deadline=None)  # and `make soak` tries 50,000 random ones
@given(histories)
def test_no_generated_history_leaves_anything_wrong(case: Case) -> None:
    judged(case, f"it is {case!r}")


@pytest.mark.parametrize("seed", range(0, 1000, 100))
def test_random_histories_leave_nothing_wrong(seed: int) -> None:
    for each in range(seed, seed + 30):
        judged(random_case(each), f"python -m tests.faults --random {each}")


def test_the_same_case_runs_the_same_to_the_last_event() -> None:
    first, second = run(random_case(11)), run(random_case(11))

    assert [r.event for r in first.log.read("share-s")] == [
        r.event for r in second.log.read("share-s")
    ]
    assert first.died_at == second.died_at
    assert first.points == second.points


# -- the oracle and the backend ---------------------------------------------------------------------
def test_the_oracle_detects_wrong_replies_to_clients() -> None:
    world = run(Case(SCENARIOS["delete"]))
    world.replies["c1.0"].status = "failed"

    assert Verdict(world).lied


def test_the_backend_refuses_overtaken_calls() -> None:
    world = run(Case(SCENARIOS["delete"], faults=("hangs", "", "")))

    assert not Verdict(world).wrong()
    assert world.storage.overtaken


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
