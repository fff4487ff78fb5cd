"""Random histories of a share, decided by its aggregate: rules, attempts, failures, owners, deletion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Command, Event, Rejected
from share_actors.events.share.access import AllowAccess, ApplyRules, ConfirmRules, DenyAccess
from share_actors.events.share.creation import CreateShare, Provision
from share_actors.events.share.deletion import ConfirmDeleted, DeleteShare, Destroy
from share_actors.events.share.ensure import ConfirmEnsured, Ensure, ReapplyShare
from share_actors.events.share.failure import RetryShare
from share_actors.events.share.forgetting import ForgetShare
from share_actors.events.share.manage import (
    ConfirmManaged,
    ConfirmUnmanaged,
    ManageExisting,
    ManageShare,
    Unmanage,
    UnmanageShare,
)
from share_actors.events.share.messages import ConfirmCreated
from share_actors.events.share.snapshot.access import (
    AllowSnapshotAccess,
    ApplySnapshotRules,
    ConfirmSnapshotRules,
    DenySnapshotAccess,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DeleteSnapshot,
    DropSnapshot,
    ForgetSnapshot,
    TakeSnapshot,
)
from share_actors.events.share.unknown_deletion import DeleteUnknownShare
from share_actors.values import ExportLocation, ShareSpec

T = TypeVar("T")
Dated = list[tuple[int, Event]]
LAST = 90
SHARE_ID = "s1"
RULES = ("r1", "r2", "r3", "r4")
CLIENTS = (
    *(("ip", to) for to in ("10.0.0.7", "10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "fd00::/64")),
    *(("user", "alice"), ("user", "@staff"), ("cert", "alice")),
)
SPEC = ShareSpec(name="home", host="local", project_id="demo", user_id="alice")
_EXPORTS = (ExportLocation(path="nas:/srv/s1"),)


class Choices:
    """Choices by the bytes that hypothesis draws: their end ends the history."""

    def __init__(self, drawn: bytes) -> None:
        self._bytes = iter(drawn)

    def below(self, limit: int) -> int:
        """A number below *limit*; raises `StopIteration` at the end."""
        return next(self._bytes) % limit

    def of(self, options: Sequence[T]) -> T:
        """One of *options*."""
        return options[self.below(len(options))]


def _allow(draw: Choices) -> Command:
    kind, to = draw.of(CLIENTS)
    level, rule = draw.of(("rw", "ro")), draw.of(RULES)
    return AllowAccess(access_id=rule, access_type=kind, access_to=to, access_level=level)


def _deny(draw: Choices) -> Command:
    return DenyAccess(access_id=draw.of(RULES))


def _of_snapshot(draw: Choices) -> Command:
    """A request about one of two snapshots; most are about the rules of the first."""
    choice, i = draw.below(12), draw.of(("n1", "n1", "n2"))
    if choice < 2:
        return CreateSnapshot(snapshot_id=i)
    if choice < 7:
        rule = _allow(draw)
        assert isinstance(rule, AllowAccess)
        return AllowSnapshotAccess(snapshot_id=i, **(rule.__dict__ | {"access_level": "ro"}))
    if choice < 10:
        return DenySnapshotAccess(snapshot_id=i, access_id=draw.of(RULES))
    return (
        DeleteSnapshot(snapshot_id=i) if choice == 10 else ForgetSnapshot(snapshot_id=i, reason="x")
    )


def _outcome(draw: Choices, state: share.ShareState) -> Command:
    """What the driver may answer to the effect that is pending."""
    kinds = ("failed", "refused", "transient")
    if draw.below(4) == 0:
        kind = draw.of(kinds)
        return ReportFailure(kind=kind, reason="the disk is full", max_attempts=3)
    effect = share.pending(state)
    match effect:
        case ApplyRules(add=add, delete=delete):
            return _applied(draw, [r.id for r in add], [r.id for r in delete])
        case ApplySnapshotRules(snapshot_id=i, change=change):
            outcome = _applied(draw, [r.id for r in change.add], [r.id for r in change.delete])
            return ConfirmSnapshotRules(snapshot_id=i, **outcome.__dict__)
        case TakeSnapshot(snapshot_id=i):
            return ConfirmSnapshotCreated(snapshot_id=i)
        case DropSnapshot(snapshot_id=i):
            return ConfirmSnapshotDeleted(snapshot_id=i)
        case Provision():
            return ConfirmCreated(export_locations=_EXPORTS)
        case ManageExisting():
            return ConfirmManaged(size=1, export_locations=_EXPORTS)
        case Unmanage():
            return ConfirmUnmanaged()
        case Destroy():
            return ConfirmDeleted()
        case Ensure():
            return ConfirmEnsured()
    return RetryShare()


def _applied(draw: Choices, add: Sequence[str], delete: Sequence[str]) -> ConfirmRules:
    failing = [i for i in (*add, *delete) if draw.below(4) == 0]
    return ConfirmRules(
        applied=tuple(i for i in add if i not in failing),
        removed=tuple(i for i in delete if i not in failing),
        failed=dict.fromkeys(failing, "no such user"),
    )


_REQUESTS: tuple[Callable[[], Command], ...] = (
    RetryShare,
    ReapplyShare,
    DeleteShare,
    UnmanageShare,
    lambda: ForgetShare(reason="it burnt down"),
    lambda: ManageShare(share_id=SHARE_ID, spec=SPEC),
    lambda: DeleteUnknownShare(share_id=SHARE_ID, spec=SPEC, location="/x"),
)


def _command(draw: Choices, state: share.ShareState) -> Any:
    choice = draw.below(20)
    if state.share.status in ("absent", "unmanaged"):
        created = CreateShare(share_id=SHARE_ID, size=1, spec=SPEC)
        managed = ManageShare(share_id=SHARE_ID, spec=SPEC)
        return created if choice < 14 and state.share.status == "absent" else managed
    if choice < 4:
        return _allow(draw)
    if choice < 7:
        return _deny(draw)
    if choice < 8:
        return _of_snapshot(draw)
    if choice < 18:
        effect = share.pending(state)
        if share.under_way(state):
            return _outcome(draw, state)
        if effect is not None:
            return BeginAttempt(activation="a", timeout_s=1.0)
        return _allow(draw)
    return draw.of(_REQUESTS)()


_WITH_SNAPSHOT: tuple[Any, ...] = (
    CreateShare(share_id=SHARE_ID, size=1, spec=SPEC),
    BeginAttempt(activation="a", timeout_s=1.0),
    ConfirmCreated(export_locations=_EXPORTS),
    CreateSnapshot(snapshot_id="n1"),
    BeginAttempt(activation="a", timeout_s=1.0),
    ConfirmSnapshotCreated(snapshot_id="n1"),
)
"""A share with a snapshot."""


def history_of(drawn: bytes, first: Sequence[Any] = ()) -> Dated:
    """What a share's aggregate decided, with seconds; steps that it refused are left out.

    It begins with the commands *first*, and then asks mostly about snapshots. Most clocks run forwards, some
    step back.
    """
    draw, state, told, now = Choices(drawn), share.initial, Dated(), 0
    for begun in first:
        for event in share.decide(begun, state):
            state = share.evolve(state, event)
            told.append((now, event))
    while True:
        try:
            now = max(0, min(LAST, now + draw.of((0, 1, 1, 2, 3, -2))))
            about_snapshots = bool(first) and draw.below(3) > 0 and share.pending(state) is None
            command: Any = _of_snapshot(draw) if about_snapshots else _command(draw, state)
            events = share.decide(command, state)
        except Rejected:
            continue
        except StopIteration:
            return told
        for event in events:
            state = share.evolve(state, event)
            told.append((now, event))


histories = st.binary(min_size=90, max_size=150).map(history_of)
histories_with_snapshot = st.binary(min_size=90, max_size=150).map(
    lambda drawn: history_of(drawn, _WITH_SNAPSHOT)
)
