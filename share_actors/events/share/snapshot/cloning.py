"""A share from a snapshot: it holds the snapshot from before its creation until that has ended.

The hold is an event in the stream of the snapshot's share. The new share owes the release from its first
attempt to hold on, whatever becomes of its creation; so no crash leaves a hold behind.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from share_actors.events import attempts
from share_actors.events.decider import Command, Effect, Event, Missing, Rejected, Settled
from share_actors.events.share.forgetting import ShareForgotten, forgotten
from share_actors.events.share.snapshot import holds
from share_actors.events.share.snapshot.holds import (
    HoldCommand,
    HoldEvent,
    HoldSnapshot,
    ReleaseSnapshot,
)
from share_actors.events.share.state import ShareState, view, work_failed
from share_actors.values import Share, Snapshot

HOLD = "hold"
RELEASE = attempts.UNDONE_BY[HOLD]
"""The keys of the effects."""


# -- messages of the new share -------------------------------------------------------------------
class ConfirmSourceHeld(Command):
    """The snapshot is held for this share."""


class ConfirmSourceReleased(Command):
    """The snapshot is not held for this share any more."""


class ShareSourceHeld(Event, topic="share.source_held"):
    """The snapshot that the share is created from is held until the creation ends."""

    snapshot_id: str


class ShareSourceReleased(Event, topic="share.source_released"):
    """The snapshot is not held for this share any more."""

    snapshot_id: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(RELEASE),)


class HoldSource(Effect):
    """Have the snapshot held by its share."""

    source: Snapshot

    def key(self) -> str:
        """Return the name of the effect."""
        return HOLD


class ReleaseSource(Effect):
    """End the hold on the snapshot."""

    source: Snapshot

    def key(self) -> str:
        """Return the name of the effect."""
        return RELEASE


CloningCommand = ConfirmSourceHeld | ConfirmSourceReleased
CloningEvent = ShareSourceHeld | ShareSourceReleased
CloningEffect = HoldSource | ReleaseSource


# -- the new share -------------------------------------------------------------------------------
def decide(command: CloningCommand, state: ShareState) -> list[CloningEvent | ShareForgotten]:
    """The outcome of an attempt; raises `Rejected` unless that was being attempted."""
    match command:
        case ConfirmSourceHeld():
            attempts.require(state.attempt, HOLD)
            return [ShareSourceHeld(snapshot_id=_asked(state).id)]
        case ConfirmSourceReleased():
            attempts.require(state.attempt, RELEASE)
            released = ShareSourceReleased(snapshot_id=_asked(state).id)
            if state.doing == "forget" and state.share.share_network_id is None:
                return [released, forgotten(state)]
            return [released]
        case _:
            assert_never(command)


def _asked(state: ShareState) -> Snapshot:
    assert state.hold is not None, "an attempt to hold or release it began"
    return state.hold


def evolve(state: ShareState, event: CloningEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareSourceHeld():
            return state.replace(source_held=True, attempt=None)
        case ShareSourceReleased():
            return state.replace(source_held=False, hold=None, attempt=None)
        case _:
            assert_never(event)


def attempted(state: ShareState, effect: str) -> ShareState:
    """The state once an attempt at *effect* began, whatever comes of it.

    From the first attempt to hold the snapshot on, the release is owed; and from the first attempt to
    release it on, it is not certain to be held.
    """
    if effect == HOLD and state.source is not None:
        return state.replace(hold=state.source)
    return state.replace(source_held=False) if effect == RELEASE else state


def holding(state: ShareState) -> HoldSource | None:
    """What a share that is being created from a snapshot owes first."""
    if state.source is None or state.source_held:
        return None
    return HoldSource(source=state.source)


def releasing(state: ShareState) -> ReleaseSource | None:
    """What a share owes whose creation from a snapshot has ended."""
    return None if state.hold is None else ReleaseSource(source=state.hold)


def sentence(event: CloningEvent, who: str) -> str:
    """*event* in words; no user requests it."""
    match event:
        case ShareSourceHeld(snapshot_id=i):
            return f"snapshot {i} is kept until it is created"
        case ShareSourceReleased(snapshot_id=i):
            return f"it has released snapshot {i}"
        case _:
            assert_never(event)


# -- the snapshot's share ------------------------------------------------------------------------
class Source(NamedTuple):
    """A snapshot, its share, and why no share can be created from it; None if one can."""

    snapshot: Snapshot
    share: Share
    refusal: str | None


def source(state: ShareState, snapshot_id: str) -> Source:
    """The snapshot of the share in *state* as what another share is to be created from."""
    refusal = source_refusal(state, snapshot_id)
    share = view(state).replace(locks=())
    return Source(state.snapshots.held[snapshot_id].alone(), share, refusal)


def decide_hold(command: HoldCommand, state: ShareState) -> list[HoldEvent]:
    """The hold or its release; raises `Rejected` if no share can be created from the snapshot."""
    match command:
        case HoldSnapshot():
            return _hold(command, state)
        case ReleaseSnapshot():
            gone = state.share.status in ("deleted", "unmanaged")
            return [] if gone else holds.release(command, state.holds)
        case _:
            assert_never(command)


def _hold(command: HoldSnapshot, state: ShareState) -> list[HoldEvent]:
    i, hold = command.snapshot_id, state.holds.by_share.get(command.share_id)
    again = hold is not None and hold.snapshot_id == i
    if hold is not None and again and command.number <= hold.number:
        return []
    holds.check_not_late(command, state.holds)
    if i not in state.snapshots.held:
        raise Missing("snapshot", field="snapshot_id", value=i)
    if not again and (refusal := source_refusal(state, i)) is not None:
        raise Rejected(refusal)
    return [holds.SnapshotHeld(**dict(command))]


def source_refusal(state: ShareState, snapshot_id: str) -> str | None:
    """Why no share can be created now from this snapshot of the share; None if one can."""
    share, snapshot = state.share, state.snapshots.held[snapshot_id]
    if snapshot.status != "available":
        return f"snapshot {snapshot_id} is {snapshot.status}; it must be available"
    if share.status not in ("available", "extending", "shrinking") and not work_failed(state):
        return f"share {share.id}, which snapshot {snapshot_id} is of, is {share.status}"
    return None
