"""What a share decides about its snapshots and their access rules: only what its own status admits."""

from __future__ import annotations

from share_actors.events import attempts
from share_actors.events.decider import Rejected
from share_actors.events.share import revert
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot import messages as snapshot_messages
from share_actors.events.share.snapshot.access import (
    ConfirmSnapshotRules,
    SnapshotAccessCommand,
    SnapshotAccessEvent,
    SnapshotAccessRulesApplied,
)
from share_actors.events.share.snapshot.messages import SnapshotCommand, SnapshotEvent
from share_actors.events.share.state import ShareState, require_status, work_failed

_DELETING_SNAPSHOTS = (
    "available",
    "extending",
    "shrinking",
    "reverting",
    "error",
    "reverting_error",
)


def decide(command: SnapshotCommand, state: ShareState) -> list[SnapshotEvent]:
    """The events of *command*; raises `Rejected` if it is not possible now."""
    work = f"snapshot/{command.snapshot_id}"
    match command:
        case snapshot_messages.DeleteUnknownSnapshot():
            require_status(state, *_DELETING_SNAPSHOTS)
        case snapshot_messages.DeleteSnapshot():
            revert.require_unneeded(command.snapshot_id, state)
            require_status(state, *_DELETING_SNAPSHOTS)
        case snapshot_messages.UnmanageSnapshot() if work_failed(state):
            revert.require_unneeded(command.snapshot_id, state)
            # else a share in error with such a snapshot could be neither deleted nor unmanaged
        case snapshot_messages.ForgetSnapshot():
            pass
        case snapshot_messages.ConfirmSnapshotDeleted():
            attempts.require(state.attempt, f"{work}/delete", "delete")
            if snapshot_access.rules_of(command.snapshot_id, state.snapshots).applied:
                raise Rejected("the access rules of the snapshot are removed before it is deleted")
        case snapshot_messages.ConfirmSnapshotCreated():
            attempts.require(state.attempt, f"{work}/create")
        case snapshot_messages.ConfirmSnapshotManaged():
            attempts.require(state.attempt, f"{work}/manage")
        case snapshot_messages.ConfirmSnapshotUnmanaged():
            attempts.require(state.attempt, f"{work}/unmanage")
        case _:
            require_status(state, "available")
    return snapshots.decide(command, state.snapshots)


def decide_access(command: SnapshotAccessCommand, state: ShareState) -> list[SnapshotAccessEvent]:
    """The events of *command*; raises `Rejected` if it is not possible now."""
    if isinstance(command, ConfirmSnapshotRules):
        work = f"snapshot/{command.snapshot_id}"
        attempts.require(state.attempt, f"{work}/access", f"{work}/delete", "delete")
    elif not work_failed(state):
        require_status(state, "available", "extending", "shrinking", "reverting")
    return snapshot_access.decide(command, state.snapshots)


def evolve_access(state: ShareState, event: SnapshotAccessEvent) -> ShareState:
    """The state after *event*."""
    changed = state.replace(snapshots=snapshot_access.evolve(state.snapshots, event))
    ended = isinstance(event, SnapshotAccessRulesApplied)
    return changed.replace(attempt=None) if ended else changed


def evolve(state: ShareState, event: SnapshotEvent) -> ShareState:
    """The state after *event*."""
    changed = snapshots.evolve(state.snapshots, event)
    match event:
        case (
            snapshot_messages.SnapshotRequested(snapshot_id=i)
            | snapshot_messages.SnapshotManageRequested(snapshot_id=i)
            | snapshot_messages.UnknownSnapshotDeletionRequested(snapshot_id=i)
        ):
            share = state.share
            own = changed.held[i].replace(
                share_id=share.id, size=share.size, share_proto=share.share_proto
            )
            return state.replace(snapshots=changed.replace(held={**changed.held, i: own}))
        case (
            snapshot_messages.SnapshotDeletionRequested()
            | snapshot_messages.SnapshotUnmanageRequested()
        ):
            return state.replace(snapshots=changed)
        case snapshot_messages.SnapshotForgotten(snapshot_id=i):
            return state.replace(snapshots=changed, attempt=_attempt_without(i, state))
        case _:
            return state.replace(snapshots=changed, attempt=None)


def _attempt_without(snapshot_id: str, state: ShareState) -> attempts.Attempt | None:
    """The attempt in progress, unless it is about this snapshot: its outcome is of no interest then."""
    attempt = state.attempt
    ours = attempt is not None and attempt.effect.startswith(f"snapshot/{snapshot_id}/")
    return None if ours else attempt
