"""What holds of every share, whatever is asked of it and whatever its backend answers, in any order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Rejected, replay
from share_actors.events.receipts import Receipts
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess, ConfirmRules, DenyAccess
from share_actors.events.share.ensure import ConfirmEnsured, EnsureShare, ReapplyShare
from share_actors.events.share.manage import (
    ConfirmManaged,
    ConfirmUnmanaged,
    ManageShare,
    UnmanageShare,
)
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    ConfirmReverted,
    CreateShare,
    DeleteShare,
    ExtendShare,
    RetryShare,
    RevertToSnapshot,
    ShareCommand,
    ShareEvent,
    ShrinkShare,
)
from share_actors.events.share.room import room_of
from share_actors.events.share.rules import OWED, Rules, client_key
from share_actors.events.share.server_attachment import ConfirmReleased
from share_actors.events.share.snapshot.access import (
    AllowSnapshotAccess,
    ConfirmSnapshotRules,
    DenySnapshotAccess,
)
from share_actors.events.share.snapshot.cloning import (
    RELEASE,
    ConfirmSourceHeld,
    ConfirmSourceReleased,
)
from share_actors.events.share.snapshot.holds import HoldSnapshot, ReleaseSnapshot
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DeleteSnapshot,
    ManageSnapshot,
    UnmanageSnapshot,
)
from share_actors.values import AccessRule, ShareSpec, Snapshot
from tests.docs.state_diagram import ATTEMPTS, success
from tests.events.share_events import NOON, Stream

Move = Callable[[ShareState], ShareCommand | None]
"""What is asked or answered next, by what the share is then."""
begin = BeginAttempt(activation="a", timeout_s=1.0)
broken = ReportFailure(kind="failed", reason="broken")

ids = st.sampled_from(["a", "b"])
copies = st.sampled_from(["x", "y"])
subsets = st.lists(ids, unique=True).map(tuple)
create = CreateShare(
    share_id="s", size=5, at=NOON, spec=ShareSpec(host="b", project_id="p", user_id="u")
)
deletion = st.one_of(st.builds(DeleteShare, cascade=st.booleans()), st.just(UnmanageShare()))
on_network = create.replace(spec=create.spec.replace(share_network_id="n"))
copied = create.replace(source=Snapshot(id="n", share_id="p", size=5, status="available"))
found = ManageShare(share_id="s", at=NOON, spec=ShareSpec(host="b", project_id="p", user_id="u"))
NOT_OURS = ("manage_starting", "manage_error", "unmanage_starting", "unmanaged")
requests: st.SearchStrategy[ShareCommand] = st.one_of(
    st.builds(ExtendShare, size=st.integers(1, 9)),
    st.builds(ShrinkShare, size=st.integers(1, 9)),
    st.just(RetryShare()),
    st.just(RetryShare()),
    st.builds(
        AllowAccess,
        access_id=ids,
        access_type=st.just("user"),
        access_to=st.sampled_from(["alice", "bob"]),
        access_level=st.sampled_from(["rw", "ro"]),
    ),
    st.builds(DenyAccess, access_id=ids),
    st.builds(CreateSnapshot, snapshot_id=ids, name=st.sampled_from([None, "n"]), at=st.just(NOON)),
    st.builds(DeleteSnapshot, snapshot_id=ids),
    st.builds(
        AllowSnapshotAccess,
        snapshot_id=ids,
        access_id=ids,
        access_type=st.just("user"),
        access_to=st.sampled_from(["alice", "bob"]),
    ),
    st.builds(DenySnapshotAccess, snapshot_id=ids, access_id=ids),
    st.builds(RevertToSnapshot, snapshot_id=ids),
    st.builds(ManageSnapshot, snapshot_id=ids, provider_location=st.just("/n"), at=st.just(NOON)),
    st.builds(UnmanageSnapshot, snapshot_id=ids),
    st.builds(EnsureShare, info=st.just("i")),
    st.just(ReapplyShare()),
    st.builds(HoldSnapshot, snapshot_id=ids, share_id=copies, number=st.integers(1, 3)),
    st.builds(ReleaseSnapshot, snapshot_id=ids, share_id=copies, number=st.integers(1, 3)),
)
strays: st.SearchStrategy[ShareCommand] = st.one_of(
    st.just(create),
    st.just(ConfirmCreated(export_locations=())),
    st.builds(ConfirmResized, doing=st.sampled_from(["extend", "shrink"]), size=st.integers(1, 9)),
    st.just(ConfirmDeleted()),
    st.builds(
        ConfirmRules,
        applied=subsets,
        removed=subsets,
        failed=st.dictionaries(ids, st.just("no such host")),
    ),
    st.builds(ConfirmSnapshotRules, snapshot_id=ids, applied=subsets, removed=subsets),
    st.builds(ConfirmSnapshotCreated, snapshot_id=ids),
    st.builds(ConfirmSnapshotDeleted, snapshot_id=ids),
    st.sampled_from(
        [
            ConfirmManaged(size=1, export_locations=()),
            ConfirmUnmanaged(),
            ConfirmReleased(),
            ConfirmReverted(remount=True),
            ConfirmEnsured(),
            ConfirmSourceHeld(),
            ConfirmSourceReleased(),
        ]
    ),
)


def say(command: ShareCommand) -> Move:
    return lambda _: command


def some_rules_fail(failing: tuple[str, ...], state: ShareState) -> ShareCommand | None:
    """The good outcome, but for some of the rules."""
    outcome = success(state)
    if not isinstance(outcome, ConfirmRules):
        return outcome
    return outcome.replace(
        applied=tuple(i for i in outcome.applied if i not in failing),
        removed=tuple(i for i in outcome.removed if i not in failing),
        failed={i: "no" for i in (*outcome.applied, *outcome.removed) if i in failing},
    )


class Walk:
    """A share that lived through some moves: its state, all its events, and its receipts."""

    def __init__(self, moves: list[Move]) -> None:
        self.state, self.receipts = share.initial, Receipts()
        self.events: list[ShareEvent] = []
        self._stream = Stream()
        for move in moves:
            command = move(self.state)
            if command is not None:
                self.ask(command)

    def ask(self, command: ShareCommand) -> bool:
        """Whether it was accepted; anything that is raised but `Rejected` fails the test."""
        try:
            events = share.decide(command, self.state)
        except Rejected:
            return False
        for event in events:
            self.state = share.evolve(self.state, event)
            self.receipts.record(self._stream(event, f"c{len(self.events)}"))
        self.events += events
        return True


answers: st.SearchStrategy[list[Move]] = st.one_of(
    st.just([say(begin), success]),
    st.just([say(begin), success]),
    subsets.map(lambda failing: [say(begin), partial(some_rules_fail, failing)]),
    st.sampled_from(ATTEMPTS).map(lambda answer: [say(begin), say(answer)]),
    st.just([say(begin), say(broken)]),
    st.just([say(begin), say(broken), say(RetryShare())]),
    st.just([say(begin)]),
    st.just([success]),
)
asked: st.SearchStrategy[list[Move]] = requests.map(lambda request: [say(request)])
odd: st.SearchStrategy[list[Move]] = st.one_of(strays, deletion).map(lambda move: [say(move)])
moves = st.lists(st.one_of(asked, asked, asked, answers, answers, answers, odd), max_size=30)
used: list[Move] = [
    *(say(begin), success),
    *(say(CreateSnapshot(snapshot_id="a", at=NOON)), say(begin), success),
    *(say(AllowAccess(access_id="a", access_type="user", access_to="alice")), say(begin), success),
]
failing: list[Move] = [say(begin), say(broken)]
starts: st.SearchStrategy[list[Move]] = st.sampled_from(
    [
        used,
        used[:2],
        failing,
        [*used, say(ExtendShare(size=8)), *failing],
        [*used, say(DenyAccess(access_id="a")), *failing],
        [*used, say(DeleteSnapshot(snapshot_id="a")), *failing],
        [*used, say(DeleteShare(cascade=True)), *failing],
        [],
    ]
)


def lived(first: ShareCommand, start: list[Move], later: list[list[Move]]) -> Walk:
    begun = [say(begin), success] if first in (on_network, copied) else []
    return Walk([say(first), *begun, *start, *(move for some in later for move in some)])


walks = st.builds(
    lived, st.sampled_from([create, create, on_network, copied, found]), starts, moves
)
NEW = AccessRule(id="c", access_type="user", access_to="alice")
any_order = settings(max_examples=200, deadline=None)


def finish(walk: Walk, outcome: Move) -> None:
    """Begin and end what is owed, one after the other, until nothing is."""
    bound = 9 + 2 * (len(walk.state.rules.rules) + len(walk.state.snapshots.held))
    for _ in range(bound):
        if share.pending(walk.state) is None:
            release_all(walk)  # the shares that are created from its snapshots end as well
        if share.pending(walk.state) is None:
            return
        assert walk.ask(begin)
        releases = walk.state.attempt is not None and walk.state.attempt.effect == RELEASE
        command = success(walk.state) if releases else outcome(walk.state)
        assert command is not None
        assert walk.ask(command)
    pytest.fail(f"still owed after {bound} attempts: {share.pending(walk.state)}")


def release_all(walk: Walk) -> None:
    """End all holds on its snapshots, as each share that is created from one does."""
    for share_id, hold in walk.state.holds.by_share.items():
        snapshot_id = hold.snapshot_id
        assert walk.ask(ReleaseSnapshot(snapshot_id=snapshot_id, share_id=share_id, number=9))


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
