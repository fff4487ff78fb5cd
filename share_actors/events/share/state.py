"""What is known of a share after its events: `evolve` folds them; `decider.py` decides what happens next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from share_actors.events import attempts
from share_actors.events.attempts import Attempt, AttemptFailed, AttemptStarted
from share_actors.events.decider import RequestJoined
from share_actors.events.share import (
    access,
    ensure,
    manage,
    server_attachment,
    snapshot_messages,
    snapshots,
)
from share_actors.events.share.access import Rules
from share_actors.events.share.messages import (
    Doing,
    OwnEvent,
    RetryRequested,
    ShareCreated,
    ShareCreationRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareEvent,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
)
from share_actors.events.share.snapshots import Snapshots
from share_actors.values import Frozen, Share, ShareServer, ShareStatus, Snapshot


class ShareState(Frozen):
    """`share` is what drivers and clients see; `doing` is what is owed, or what failed when in error."""

    share: Share = Share()
    doing: Doing | None = None
    resize_to: int = 0
    cascade: bool = False
    source: Snapshot | None = None
    driver_options: dict[str, Any] = {}
    server: ShareServer | None = None
    destroyed: bool = False
    """It is off the backend, and has yet to leave its share server."""
    ensure: bool = False
    """It is to be exported as its backend is now."""
    rules: Rules = access.initial
    snapshots: Snapshots = snapshots.initial
    attempt: Attempt | None = None


initial = ShareState()


def view(state: ShareState) -> Share:
    """The share with its rules and snapshots, as clients and drivers see it."""
    rules = tuple(state.rules.rules.values())
    held = tuple(state.snapshots.held.values())
    return state.share.replace(access_rules=rules, snapshots=held)


def part(state: ShareState, works: Iterable[str]) -> Share | None:
    """The share with only that rule or snapshot which *works* are about; None if about the share.

    What is told of one rule shall not cost more with every other rule that the share has.
    """
    about = [work.split("/") for work in works]
    if not about or any(len(work) < 3 for work in about):
        return None
    rules = [state.rules.rules.get(i) for kind, i, *_ in about if kind == "rule"]
    held = [state.snapshots.held.get(i) for kind, i, *_ in about if kind == "snapshot"]
    return state.share.replace(
        access_rules=tuple(filter(None, rules)), snapshots=tuple(filter(None, held))
    )


def evolve(state: ShareState, event: ShareEvent) -> ShareState:
    """The state after *event*; total, and never wrong about what the log says."""
    match event:
        case AttemptStarted() | AttemptFailed():
            return _attempted(state, event)
        case RequestJoined():
            return state
        case access.AccessAllowed() | access.AccessDenied():
            return state.replace(rules=access.evolve(state.rules, event))
        case access.AccessRulesApplied():
            return state.replace(rules=access.evolve(state.rules, event), attempt=None)
        case snapshot_messages.SnapshotRequested() | snapshot_messages.SnapshotManageRequested():
            return _of_this_share(state, event)
        case (
            snapshot_messages.SnapshotDeletionRequested()
            | snapshot_messages.SnapshotUnmanageRequested()
        ):
            return state.replace(snapshots=snapshots.evolve(state.snapshots, event))
        case (
            snapshot_messages.SnapshotCreated()
            | snapshot_messages.SnapshotDeleted()
            | snapshot_messages.SnapshotErrored()
            | snapshot_messages.SnapshotDeletionRefused()
            | snapshot_messages.SnapshotManaged()
            | snapshot_messages.SnapshotUnmanaged()
        ):
            return state.replace(snapshots=snapshots.evolve(state.snapshots, event), attempt=None)
        case manage.ShareManageRequested() | manage.ShareManaged():
            return _managed(state, event)
        case manage.ShareUnmanageRequested() | manage.ShareUnmanaged():
            return _unmanaged(state, event)
        case _:
            return _evolve_further(state, event)


def _of_this_share(
    state: ShareState,
    event: snapshot_messages.SnapshotRequested | snapshot_messages.SnapshotManageRequested,
) -> ShareState:
    share, held = state.share, snapshots.evolve(state.snapshots, event)
    own = held.held[event.snapshot_id].replace(
        share_id=share.id, size=share.size, share_proto=share.share_proto
    )
    return state.replace(snapshots=held.replace(held={**held.held, own.id: own}))


def _managed(
    state: ShareState, event: manage.ShareManageRequested | manage.ShareManaged
) -> ShareState:
    if isinstance(event, manage.ShareManaged):
        backend = state.share.backend
        share = state.share.replace(
            size=event.size, export_locations=event.export_locations,
            host=state.share.host if event.pool is None else f"{backend}#{event.pool}",
        )  # fmt: skip
        return _settle(state.replace(share=share, driver_options={}), was="manage")
    asked = dict(event)
    options = asked.pop("driver_options")
    named = {"id": asked.pop("share_id"), "created_at": asked.pop("at")}
    share = Share(**asked, **named, status="manage_starting")
    return state.replace(share=share, doing="manage", driver_options=options)


def _unmanaged(
    state: ShareState, event: manage.ShareUnmanageRequested | manage.ShareUnmanaged
) -> ShareState:
    if isinstance(event, manage.ShareUnmanageRequested):
        leaving = state.share.replace(status="unmanage_starting", status_reason=None)
        return state.replace(share=leaving, doing="unmanage")
    return initial.replace(share=state.share.replace(status="unmanaged", status_reason=None))


def _evolve_further(
    state: ShareState, event: OwnEvent | server_attachment.AttachmentEvent | ensure.EnsureEvent
) -> ShareState:
    match event:
        case server_attachment.ShareServerAcquired(server=server):
            on = state.share.replace(share_server_id=server.id)
            return state.replace(share=on, server=server, attempt=None)
        case server_attachment.ShareDestroyed():
            return state.replace(destroyed=True, attempt=None)
        case ensure.ShareEnsureRequested():
            return state.replace(ensure=True)
        case ensure.ShareEnsured(export_locations=locations):
            there = state.share.export_locations if locations is None else locations
            share = state.share.replace(export_locations=there, status_reason=None)
            return state.replace(share=share, ensure=False, attempt=None)
        case ensure.ShareEnsureFailed(reason=reason):
            told = state.share.replace(status_reason=reason)
            return state.replace(share=told, ensure=False, attempt=None)
        case _:
            return _evolve_share(state, event)


def _attempted(state: ShareState, event: AttemptStarted | AttemptFailed) -> ShareState:
    begins = isinstance(event, AttemptStarted) and event.effect == "access"
    rules = access.started(state.rules) if begins else state.rules
    return state.replace(attempt=attempts.evolve(event, state.attempt), rules=rules)


def _evolve_share(state: ShareState, event: OwnEvent) -> ShareState:
    share = state.share
    match event:
        case ShareCreationRequested():
            return state.replace(share=_requested(event), doing="create", source=event.source)
        case ShareCreated(export_locations=locations):
            exported = share.replace(export_locations=locations)
            return _settle(state.replace(share=exported), was="create")
        case ShareResizeRequested(doing=doing, size=size):
            status = "extending" if doing == "extend" else "shrinking"
            resizing = share.replace(status=status, status_reason=None)
            return state.replace(share=resizing, doing=doing, resize_to=size)
        case ShareResized(doing=doing, size=size):
            return _settle(state.replace(share=share.replace(size=size)), was=doing)
        case ShareResizeRefused(doing=doing, reason=reason):
            return _settle(state, was=doing, reason=reason)
        case ShareDeletionRequested(cascade=cascade):
            deleting = share.replace(status="deleting", status_reason=None)
            return state.replace(share=deleting, doing="delete", cascade=cascade)
        case ShareDeleted():
            gone = share.replace(
                status="deleted", export_locations=(), status_reason=None, share_server_id=None
            )
            return initial.replace(share=gone)
        case ShareErrored(doing=doing, reason=reason):
            if state.doing != doing:
                return state.replace(
                    attempt=None
                )  # a deletion waits behind what failed: it goes on
            errored = share.replace(status=_FAILED.get(doing, "error"), status_reason=reason)
            return state.replace(share=errored, attempt=None)
        case RetryRequested():
            return _retried(state)
        case _:
            assert_never(event)


def _requested(event: ShareCreationRequested) -> Share:
    asked = {**event.__dict__}
    asked["id"] = asked.pop("share_id")
    asked["created_at"] = asked.pop("at")
    asked.pop("placement")  # the event keeps it: a state need not
    source = asked.pop("source")
    from_id = None if source is None else source.id
    return Share(**asked, status="creating", snapshot_id=from_id)


def _settle(state: ShareState, was: Doing, reason: str | None = None) -> ShareState:
    """What was being done is over; the share is available unless something else is owed by now."""
    if state.doing != was:
        return state.replace(attempt=None)
    share = state.share.replace(status="available", status_reason=reason)
    return state.replace(share=share, doing=None, resize_to=0, source=None, attempt=None)


ERRORS: tuple[ShareStatus, ...] = ("error", "manage_error", "unmanage_error")
_FAILED: dict[Doing, ShareStatus] = {"manage": "manage_error", "unmanage": "unmanage_error"}
_RESUMED: dict[Doing, ShareStatus] = {
    "create": "creating",
    "extend": "extending",
    "shrink": "shrinking",
    "delete": "deleting",
    "manage": "manage_starting",
    "unmanage": "unmanage_starting",
}


def _retried(state: ShareState) -> ShareState:
    share = state.share
    if share.status in ERRORS and state.doing is not None:
        resumed = share.replace(status=_RESUMED[state.doing], status_reason=None)
        state = state.replace(share=resumed)
    if state.doing in ("delete", "unmanage"):
        return state  # its rules and snapshots only go
    return state.replace(
        rules=access.retried(state.rules), snapshots=snapshots.retried(state.snapshots)
    )
