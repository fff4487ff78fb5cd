"""What holds of every share, whatever is asked of it and whatever its backend answers, in any order."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.events import share
from share_actors.events.decider import replay
from share_actors.events.share import ShareState
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, RetryShare, ShareCommand
from share_actors.events.share.room import room_of
from share_actors.events.share.rules import OWED, Rules, client_key
from share_actors.events.share.snapshot.holds import HoldSnapshot
from share_actors.events.share.snapshot.messages import DeleteSnapshot, UnmanageSnapshot
from share_actors.values import AccessRule
from tests.docs.state_diagram import ATTEMPTS, success
from tests.events.share_walks import (
    NOT_OURS,
    Walk,
    begin,
    broken,
    copies,
    create,
    deletion,
    finish,
    ids,
    release_all,
    requests,
    say,
    some_rules_fail,
    strays,
    walks,
)

NEW = AccessRule(id="c", access_type="user", access_to="alice")
any_order = settings(max_examples=200, deadline=None)


@any_order
@given(walks)
def test_what_is_kept_beside_the_rules_is_what_a_look_at_every_rule_finds(walk: Walk) -> None:
    state = share.initial
    for event in walk.events:
        state = share.evolve(state, event)
        for rules in (state.rules, *state.snapshots.rules.values()):
            by_state = {i: rule.state for i, rule in rules.rules.items()}
            assert {*rules.owed} == {i for i, now in by_state.items() if now in OWED}
            assert {*rules.errors} == {i for i, now in by_state.items() if now == "error"}
            assert in_force_once(rules)
            assert rules.with_queued(NEW) == rules.with_rules(NEW)


def in_force_once(rules: Rules) -> bool:
    """Whether each client that a rule lets in has one rule in force, which is one of its own."""
    own: dict[str, set[str]] = {}
    for rule in rules.rules.values():
        if rule.state != "denying":
            own.setdefault(client_key(rule.access_type, rule.access_to), set()).add(rule.id)
    return rules.clients.keys() == own.keys() and all(
        rules.clients[client] in ids for client, ids in own.items()
    )


@any_order
@given(walks)
def test_an_accepted_history_replays_to_the_live_state(walk: Walk) -> None:
    assert replay(share, walk.events) == walk.state


@any_order
@given(walks)
def test_what_is_kept_of_rules_is_what_looking_at_each_of_them_tells(walk: Walk) -> None:
    rules = walk.state.rules
    in_force: dict[str, set[str]] = {}
    for i, rule in rules.rules.items():
        if rule.state != "denying":
            in_force.setdefault(f"{rule.access_type} {rule.access_to}", set()).add(i)

    assert set(rules.owed) == {i for i, rule in rules.rules.items() if rule.state in OWED}
    assert rules.clients.keys() == in_force.keys()
    assert all(i in in_force[client] for client, i in rules.clients.items())


@any_order
@given(walks)
def test_a_state_is_the_same_after_a_round_trip_through_json(walk: Walk) -> None:
    loaded = ShareState.model_validate_json(walk.state.model_dump_json())

    assert loaded == walk.state
    assert share.pending(loaded) == share.pending(walk.state)


@any_order
@given(walks)
def test_what_is_owed_comes_to_an_end_when_all_goes_well(walk: Walk) -> None:
    finish(walk, success)

    assert share.pending(walk.state) is None


@any_order
@given(walks)
def test_what_is_owed_comes_to_an_end_when_all_fails_for_good(walk: Walk) -> None:
    finish(walk, lambda _: broken)

    assert share.pending(walk.state) is None


@any_order
@given(walks)
def test_what_is_owed_comes_to_an_end_when_each_rule_fails(walk: Walk) -> None:
    finish(walk, partial(some_rules_fail, ("a", "b")))

    assert share.pending(walk.state) is None


@any_order
@given(walks)
def test_no_request_waits_for_a_share_that_owes_nothing(walk: Walk) -> None:
    finish(walk, success)

    assert walk.receipts.open_works() == ()


@any_order
@given(walks)
def test_no_request_waits_for_a_share_that_failed(walk: Walk) -> None:
    finish(walk, lambda _: broken)

    assert walk.receipts.open_works() == ()


@any_order
@given(walks)
def test_every_state_but_deleted_and_unmanaged_has_a_way_on(walk: Walk) -> None:
    if walk.state.share.status in ("deleted", "unmanaged"):
        return
    if share.pending(walk.state) is None:
        let_go(walk)
        release_all(walk)
        assert walk.ask(DeleteShare(cascade=True)) or walk.ask(UnmanageShare())
        assert share.pending(walk.state) is not None


def let_go(walk: Walk) -> None:
    """Snapshots that are not ours are let go, as who wants to delete the share has to."""
    for i, snapshot in list(walk.state.snapshots.held.items()):
        if snapshot.status in NOT_OURS:
            walk.ask(UnmanageSnapshot(snapshot_id=i))
            finish(walk, success)


@any_order
@given(walks)
def test_error_can_always_be_retried(walk: Walk) -> None:
    if walk.state.share.status in ("error", "reverting_error", "manage_error", "unmanage_error"):
        assert walk.ask(RetryShare())
        assert share.view(walk.state).status in (
            "creating",
            "extending",
            "shrinking",
            "reverting",
            "deleting",
            "manage_starting",
            "unmanage_starting",
        )
        assert share.pending(walk.state) is not None


@any_order
@given(walks, st.booleans())
def test_delete_is_accepted_unless_snapshots_would_be_lost(walk: Walk, cascade: bool) -> None:
    held, status = walk.state.snapshots.held, walk.state.share.status

    accepted = walk.ask(DeleteShare(cascade=cascade))

    theirs = any(snapshot.status in NOT_OURS for snapshot in held.values())
    assert accepted or (held and not cascade) or status in NOT_OURS or theirs
    assert not accepted or walk.state.share.status in ("deleting", "deleted")
    assert status != "deleted" or accepted


@any_order
@given(walks)
def test_a_deletion_that_is_never_hindered_ends_with_nothing_left(walk: Walk) -> None:
    finish(walk, success)
    let_go(walk)
    if not walk.ask(DeleteShare(cascade=True)) and walk.state.share.status != "deleted":
        assert walk.state.share.status in NOT_OURS
        return

    finish(walk, success)

    gone = share.initial.replace(share=walk.state.share, found=walk.state.found)
    assert walk.state == gone
    assert walk.state.share.status == "deleted"
    assert room_of(walk.state).provisioned == 0


@any_order
@given(walks, ids, copies)
def test_a_snapshot_stays_on_the_backend_while_a_share_holds_it(
    walk: Walk, snapshot_id: str, copy: str
) -> None:
    held = walk.ask(HoldSnapshot(snapshot_id=snapshot_id, share_id=copy, number=8))

    for request in (DeleteSnapshot(snapshot_id=snapshot_id), DeleteShare(cascade=True)):
        walk.ask(request)
        while walk.ask(begin) and (outcome := success(walk.state)) is not None:
            walk.ask(outcome)

    assert not held or snapshot_id in walk.state.snapshots.held


@any_order
@given(walks)
def test_a_share_that_owes_nothing_holds_no_snapshot(walk: Walk) -> None:
    finish(walk, success)
    walk.ask(DeleteShare())
    finish(walk, success)

    assert (walk.state.hold, walk.state.source_held) == (None, False)


@any_order
@given(walks)
def test_every_request_to_a_share_that_is_gone_has_its_answer(walk: Walk) -> None:
    walk.ask(DeleteShare(cascade=True))
    walk.ask(UnmanageShare())
    finish(walk, success)

    assert walk.receipts.open_works() == ()


@given(st.lists(st.one_of(requests, deletion, st.sampled_from(ATTEMPTS))))
def test_a_share_that_nobody_created_stays_absent(asked: list[ShareCommand]) -> None:
    walk = Walk([say(command) for command in asked])

    assert walk.events == []
    assert walk.state == share.initial


@any_order
@given(walks, strays)
def test_an_outcome_that_no_attempt_came_to_is_rejected(walk: Walk, outcome: ShareCommand) -> None:
    if walk.state.attempt is None and outcome != create:
        assert not walk.ask(outcome)
