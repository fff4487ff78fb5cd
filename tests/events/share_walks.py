"""Random histories of a share: what is asked and answered, in any order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import strategies as st

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Rejected
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
from share_actors.values import ShareSpec, Snapshot
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
