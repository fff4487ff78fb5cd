"""Deleting a share: its snapshots, the access rules of both, the share itself, its share server.

any status -> deleting -> deleted; or error, from which it can be deleted again. If the share type has a grace
period, the share is first deleted softly; see `protection/soft_deletion.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from share_actors.events import attempts
from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, Settled
from share_actors.events.share import access, manage
from share_actors.events.share.forgetting import ShareForgotten, forgotten
from share_actors.events.share.protection import locks, soft_deletion
from share_actors.events.share.protection.soft_deletion import (
    DeleteDueShare,
    SoftDeleteShare,
    SoftDeletionEvent,
)
from share_actors.events.share.server_attachment import (
    ConfirmReleased,
    ReleaseServer,
    ShareDestroyed,
)
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import cloning
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot.messages import DropSnapshot
from share_actors.events.share.state import ShareState, initial
from share_actors.scheduling.extra_specs import grace_period


# -- messages ------------------------------------------------------------------------------------
class DeleteShare(Command, topic="share.delete"):
    """`ShareManager.delete_share`; with *cascade* its snapshots are deleted too.

    If its share type had a grace period when the share was created, it is deleted softly, unless *now*.
    """

    cascade: bool = False
    now: bool = False
    at: datetime = EPOCH

    def work(self) -> str:
        """Return the requested work."""
        return "delete"


class ConfirmDeleted(Command):
    """The backend deleted the share."""


class ShareDeletionRequested(Event, topic="share.deletion_requested"):
    """The share is to be deleted."""

    cascade: bool

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("delete",)


class ShareDeleted(Event, topic="share.deleted"):
    """The share is gone; so is all that was pending for it."""

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("delete"), Settled("*", "the share was deleted"))


class Destroy(Effect):
    """The driver's `delete_share`."""

    def key(self) -> str:
        """Return the name of the effect."""
        return "delete"


DeletionCommand = DeleteShare | DeleteDueShare | ConfirmDeleted | ConfirmReleased
DeletionEvent = ShareDeletionRequested | ShareDeleted
_DeletionOutcome = (
    SoftDeletionEvent
    | ShareDeletionRequested
    | ShareDeleted
    | ShareDestroyed
    | ShareForgotten
    | manage.ShareUnmanaged
)
_UNMANAGED = ("manage_starting", "manage_error", "unmanage_starting", "unmanaged")


# -- decisions -----------------------------------------------------------------------------------
def decide(command: DeletionCommand, state: ShareState) -> list[_DeletionOutcome]:
    """The events that *command* comes to; raises `Rejected` if the share cannot be deleted now."""
    match command:
        case DeleteShare():
            return _delete(command, state)
        case DeleteDueShare(at=at):
            soft_deletion.require_due(state, at)
            return _delete(DeleteShare(cascade=state.cascade, now=True), state)
        case ConfirmDeleted():
            attempts.require(state.attempt, "delete")
            if pending(state) != Destroy():
                raise Rejected("the share's snapshots and access rules are deleted before it")
            on_server = state.share.share_network_id is not None
            return [ShareDestroyed() if on_server else ShareDeleted()]
        case ConfirmReleased():
            attempts.require(state.attempt, "release")
            if state.doing == "forget":
                return [forgotten(state)]
            if state.doing == "unmanage":
                return [manage.released(state)]
            return [ShareDeleted()]
        case _:
            assert_never(command)


def _delete(command: DeleteShare, state: ShareState) -> list[_DeletionOutcome]:
    if state.share.status in ("deleting", "deleted"):
        return []
    locks.require_unlocked(state, "deleted")
    _require_deletable(state, cascade=command.cascade)
    if state.share.status == "soft_deleted" and not command.now:
        return []  # a request that is made twice must not end the grace period
    grace = None if command.now else grace_period(state.extra_specs)
    if grace is not None and soft_deletion.keeps(state):
        return [*soft_deletion.soft_delete(command.at + grace, state, cascade=command.cascade)]
    return [ShareDeletionRequested(cascade=command.cascade)]


def decide_soft(command: SoftDeleteShare, state: ShareState) -> list[SoftDeletionEvent]:
    """The soft deletion; raises `Rejected` if the share could not be deleted either."""
    _require_deletable(state, cascade=command.cascade)
    return soft_deletion.decide(command, state)


def _require_deletable(state: ShareState, *, cascade: bool) -> None:
    """Raise `Rejected` if the share, or a snapshot of it, must not be deleted now."""
    status, held = state.share.status, state.snapshots.held
    if status in _UNMANAGED:
        raise Rejected(f"the share is {status}: what is on the backend is not managed here")
    unmanaged = [i for i, s in held.items() if s.status in snapshots.UNMANAGED]
    if unmanaged:
        raise Rejected(
            f"the share has snapshots that are not managed here ({', '.join(unmanaged)}):"
            " unmanage them first"
        )
    if held and not cascade:
        raise Rejected(
            f"the share has snapshots ({', '.join(held)}): delete them first, or cascade"
        )


def evolve(state: ShareState, event: DeletionEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareDeletionRequested(cascade=cascade):
            deleting = state.share.replace(
                status="deleting", status_reason=None, scheduled_to_be_deleted_at=None
            )
            return state.replace(
                share=deleting, doing="delete", cascade=cascade, before_deletion=None
            )
        case ShareDeleted():
            deleted = state.share.replace(
                status="deleted", export_locations=(), status_reason=None, share_server_id=None
            )
            return initial.replace(share=deleted, found=state.found)
        case _:
            assert_never(event)


def pending(
    state: ShareState,
) -> (
    cloning.ReleaseSource
    | DropSnapshot
    | snapshot_access.ApplySnapshotRules
    | access.ApplyRules
    | Destroy
    | ReleaseServer
    | None
):
    """The next step of a deletion in progress; None while shares are created from its last snapshots."""
    if (release := cloning.releasing(state)) is not None:
        return release
    if state.snapshots.held:
        drop = snapshots.removal(state.snapshots, state.holds.snapshots)
        return snapshot_access.withdrawn_first(drop, state.snapshots)
    removal = access.removal(state.rules)
    if removal is not None or state.share.share_network_id is None:
        return removal or Destroy()
    exists = state.share.share_server_id is not None and not state.destroyed
    return Destroy() if exists else ReleaseServer()  # without a server there is nothing to destroy


def sentence(event: DeletionEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareDeletionRequested(cascade=cascade):
            return f"{who} asked to delete it{' with its snapshots' if cascade else ''}"
        case ShareDeleted():
            return "the backend deleted it"
        case _:
            assert_never(event)
