"""Reverting a share to its latest snapshot: available -> reverting -> available, or reverting_error.

Meanwhile the snapshot is `restoring`. The size of the share stays as it is.
"""

from __future__ import annotations

from typing import Final, assert_never

from share_actors.events import attempts
from share_actors.events.decider import Command, Effect, Event, Missing, Rejected, Settled
from share_actors.events.share.state import ShareState, require_status, settle
from share_actors.values import Snapshot
from share_actors.values.checks.fields import Id

REVERT: Final = "revert"
"""The key of the effect."""
REMOUNT = "the share was reverted: its clients must mount it again"
"""The `status_reason` of a share after a revert that interrupts its clients."""


# -- messages ------------------------------------------------------------------------------------
class RevertToSnapshot(Command, topic="share.revert"):
    """Manila's `revert_to_snapshot`: put the share back to the content of its latest snapshot."""

    snapshot_id: Id


class ConfirmReverted(Command):
    """The backend reverted the share; *remount*: clients must mount it again."""

    remount: bool = False


class ShareRevertRequested(Event, topic="share.revert_requested"):
    """The share is to have the content of the snapshot."""

    snapshot_id: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (REVERT,)


class ShareReverted(Event, topic="share.reverted"):
    """The share has the content of the snapshot; *remount*: clients must mount it again."""

    snapshot_id: str
    remount: bool

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(REVERT),)


class ShareRevertRefused(Event, topic="share.revert_refused"):
    """The backend declined and changed nothing: the share is available again, with the reason."""

    snapshot_id: str
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(REVERT, self.reason),)


class Revert(Effect):
    """The driver's `revert_to_snapshot`."""

    snapshot: Snapshot

    def key(self) -> str:
        """Return the name of the effect."""
        return REVERT


RevertCommand = RevertToSnapshot | ConfirmReverted
RevertEvent = ShareRevertRequested | ShareReverted | ShareRevertRefused


# -- decisions -----------------------------------------------------------------------------------
def decide(command: RevertCommand, state: ShareState) -> list[RevertEvent]:
    """The events that *command* comes to; raises `Rejected` if the share cannot have that content now."""
    match command:
        case RevertToSnapshot(snapshot_id=i):
            require_status(state, "available")
            _require_revertible(i, state)
            return [ShareRevertRequested(snapshot_id=i)]
        case ConfirmReverted(remount=remount):
            attempts.require(state.attempt, REVERT)
            return [ShareReverted(snapshot_id=_aim(state).id, remount=remount)]
        case _:
            assert_never(command)


def _require_revertible(snapshot_id: str, state: ShareState) -> None:
    """Raise `Rejected` unless the snapshot is the latest one, available, and fits into the share."""
    held = state.snapshots.held
    if snapshot_id not in held:
        raise Missing("snapshot", field="snapshot_id", value=snapshot_id)
    snapshot, latest = held[snapshot_id], [*held][-1]
    if snapshot.status != "available":
        raise Rejected(f"snapshot {snapshot_id} is {snapshot.status}; it must be available")
    if latest != snapshot_id:
        raise Rejected(
            f"snapshot {snapshot_id} is not the latest of the share, which {latest} is: a share is only"
            " reverted to its latest snapshot; delete the later ones first"
        )
    if snapshot.size > state.share.size:
        raise Rejected(
            f"snapshot {snapshot_id} is {snapshot.size} GiB, the share {state.share.size} GiB:"
            f" extend the share to {snapshot.size} GiB first"
        )


def require_unneeded(snapshot_id: str, state: ShareState) -> None:
    """Raise `Rejected` if the share is being reverted to the snapshot, or a retry would do that."""
    if state.doing == REVERT and _aim(state).id == snapshot_id:
        raise Rejected(
            f"the share is {state.share.status}, to snapshot {snapshot_id}: the snapshot must stay until"
            " the revert has succeeded"
        )


def _aim(state: ShareState) -> Snapshot:
    assert state.revert_to is not None, "a revert was requested"
    return state.revert_to


def evolve(state: ShareState, event: RevertEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareRevertRequested(snapshot_id=i):
            aim = state.snapshots.held[i]
            reverting = state.share.replace(status="reverting", status_reason=None)
            return restoring(state.replace(share=reverting, doing=REVERT, revert_to=aim))
        case ShareReverted(remount=remount):
            return _ended(state, REMOUNT if remount else None)
        case ShareRevertRefused(reason=reason):
            return _ended(state, reason)
        case _:
            assert_never(event)


def _ended(state: ShareState, reason: str | None) -> ShareState:
    """The state without a revert; its snapshot is available again."""
    return settle(not_restoring(state), REVERT, reason).replace(revert_to=None)


def restoring(state: ShareState) -> ShareState:
    """The state with the snapshot of the revert `restoring`, unless it was forgotten."""
    aim = state.revert_to
    if aim is None or aim.id not in state.snapshots.held:
        return state
    return state.replace(snapshots=state.snapshots.change(aim.id, "restoring", reason=None))


def not_restoring(state: ShareState) -> ShareState:
    """The state with the snapshot of the revert available again, unless other work on it is pending."""
    aim = state.revert_to
    snapshot = None if aim is None else state.snapshots.held.get(aim.id)
    if snapshot is None or snapshot.status != "restoring":
        return state
    return state.replace(snapshots=state.snapshots.change(snapshot.id, "available"))


def pending(state: ShareState) -> Revert:
    """The driver call that a revert in progress owes."""
    return Revert(snapshot=_aim(state))


def sentence(event: RevertEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    i = event.snapshot_id
    match event:
        case ShareRevertRequested():
            return f"{who} asked to revert it to snapshot {i}"
        case ShareReverted(remount=remount):
            mount = (
                "clients must mount it again" if remount else "clients go on without a new mount"
            )
            return f"the backend reverted it to snapshot {i}; {mount}"
        case ShareRevertRefused(reason=reason):
            return f"the backend refused to revert it to snapshot {i} and changed nothing: {reason}"
        case _:
            assert_never(event)
