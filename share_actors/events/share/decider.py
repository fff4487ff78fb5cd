"""A share: one exported filesystem on one backend, with its access rules and its snapshots.

absent -> creating -> available <-> extending, shrinking, reverting, soft_deleted; -> deleting -> deleted; or
error, with the reason.
One stream holds all of it. Each part (creation, resize, access, ...) is a module with its messages, `decide`,
`evolve`, what it owes and its sentences; this module puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, assert_never, get_args

from share_actors.events import attempts
from share_actors.events.attempts import BeginAttempt
from share_actors.events.decider import Command, Event, Rejected, RequestJoined
from share_actors.events.share import (
    access,
    backend_change,
    creation,
    deletion,
    ensure,
    failure,
    forgetting,
    manage,
    properties,
    resize,
    revert,
    server_attachment,
    unknown_deletion,
)
from share_actors.events.share.creation import CreateShare, Provision
from share_actors.events.share.failure import ShareErrored
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import ShareCommand, ShareEffect, ShareEvent
from share_actors.events.share.protection import locks, soft_deletion
from share_actors.events.share.rules import same_client
from share_actors.events.share.server_attachment import ReleaseServer
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import cloning, holds
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot import messages as snapshot_messages
from share_actors.events.share.snapshot import of_share as snapshots_of_share
from share_actors.events.share.state import (
    ShareState,
    initial,
    owned,
    part,
    require_status,
    view,
    work_failed,
)
from share_actors.events.share.unknown_deletion import DeleteUnknownShare

__all__ = [
    "KIND",
    "STATE_VERSION",
    "ShareState",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "sentence",
    "under_way",
    "view",
]

KIND = "share"
STATE_VERSION = 8
"""Grows when an earlier state snapshot cannot be read any more; the stream is then replayed instead.

So too when a default changes of a field of `ShareState`: a row of the catalog has no field with its default.
"""


_BEGINNINGS = (CreateShare, ManageShare, DeleteUnknownShare)


# -- decide --------------------------------------------------------------------------------------
def decide(command: ShareCommand, state: ShareState) -> list[ShareEvent]:
    """The events that *command* comes to; raises `Rejected` when it is not possible now."""
    absent = state.share.status == "absent"
    if absent and command.topic and not isinstance(command, _BEGINNINGS):
        raise Rejected("there is no such share")
    return _DECIDE[type(command)](command, state)


def _begin(command: BeginAttempt, state: ShareState) -> list[ShareEvent]:
    return [attempts.begin(command, pending(state), state.attempt)]


def _access(command: access.AccessCommand, state: ShareState) -> list[ShareEvent]:
    if isinstance(command, access.ConfirmRules):
        return _rules_confirmed(command, state)
    if isinstance(command, access.DenyAccess):
        locks.require_rule_unlocked(command.access_id, state)
    if not work_failed(state):
        require_status(state, "creating", "available", "extending", "shrinking", "reverting")
    return [*access.decide(command, state.rules)]


def _rules_confirmed(command: access.ConfirmRules, state: ShareState) -> list[ShareEvent]:
    attempts.require(state.attempt, "access", "delete")
    if state.attempt is None or state.attempt.effect == "access" or not command.failed:
        return [*access.decide(command, state.rules)]
    # A rule that cannot be removed ends the deletion; trying again at once would never end.
    reason = "; ".join(f"access rule {i}: {reason}" for i, reason in command.failed.items())
    removed = access.decide(command.replace(failed={}), state.rules) if command.removed else []
    return [*removed, ShareErrored(doing="delete", reason=reason)]


# -- evolve --------------------------------------------------------------------------------------
def evolve(state: ShareState, event: ShareEvent) -> ShareState:
    """The state after *event*; total: whatever the log holds can be replayed."""
    return _EVOLVE[type(event)](state, event)


def _evolve_attempt(state: ShareState, event: attempts.AttemptEvent) -> ShareState:
    effect, attempt = event.effect, attempts.evolve(event, state.attempt)
    begun = cloning.attempted(state, effect)
    if not isinstance(event, attempts.AttemptStarted):
        return begun.replace(attempt=attempt)
    if effect == "access":
        return begun.replace(attempt=attempt, rules=access.started(state.rules))
    if not state.snapshots.held:
        return begun.replace(attempt=attempt)
    of_snapshots = snapshot_access.started(effect, state.snapshots)
    return begun.replace(attempt=attempt, snapshots=of_snapshots)


def _evolve_access(state: ShareState, event: access.AccessEvent) -> ShareState:
    rules = access.evolve(state.rules, event)
    if isinstance(event, access.AccessRulesApplied):
        return state.replace(rules=rules, attempt=None)
    return state.replace(rules=rules)


def _evolve_holds(state: ShareState, event: holds.HoldEvent) -> ShareState:
    return state.replace(holds=holds.evolve(state.holds, event))


def _evolve_joined(state: ShareState, event: RequestJoined) -> ShareState:
    return state


# -- the parts, by the types of their messages ---------------------------------------------------
def _by_type(*parts: tuple[Any, Any]) -> Mapping[type[Any], Any]:
    """One function by message type, from unions of message types (or single ones)."""
    return {kind: function for union, function in parts for kind in get_args(union) or (union,)}


_DECIDE: Mapping[type[Command], Callable[[Any, ShareState], list[ShareEvent]]] = _by_type(
    (creation.CreationCommand, creation.decide),
    (deletion.DeletionCommand, deletion.decide),
    (locks.LockCommand, locks.decide),
    (soft_deletion.RestoreShare, soft_deletion.decide),
    (soft_deletion.SoftDeleteShare, deletion.decide_soft),
    (DeleteUnknownShare, unknown_deletion.decide),
    (resize.ResizeCommand, resize.decide),
    (properties.PropertiesCommand, properties.decide),
    (revert.RevertCommand, revert.decide),
    (manage.ManageCommand, manage.decide),
    (forgetting.ForgettingCommand, forgetting.decide),
    (backend_change.ChangeBackend, backend_change.decide),
    (server_attachment.ConfirmServer, server_attachment.decide),
    (ensure.EnsureCommand, ensure.decide),
    (access.AccessCommand, _access),
    (snapshot_messages.SnapshotCommand, snapshots_of_share.decide),
    (snapshot_access.SnapshotAccessCommand, snapshots_of_share.decide_access),
    (holds.HoldCommand, cloning.decide_hold),
    (cloning.CloningCommand, cloning.decide),
    (failure.FailureCommand, failure.decide),
    (BeginAttempt, _begin),
)
_EVOLVE: Mapping[type[Event], Callable[[ShareState, Any], ShareState]] = _by_type(
    (creation.CreationEvent, creation.evolve),
    (deletion.DeletionEvent, deletion.evolve),
    (locks.LockEvent, locks.evolve),
    (soft_deletion.SoftDeletionEvent, soft_deletion.evolve),
    (unknown_deletion.UnknownShareDeletionRequested, unknown_deletion.evolve),
    (resize.ResizeEvent, resize.evolve),
    (properties.PropertiesEvent, properties.evolve),
    (revert.RevertEvent, revert.evolve),
    (manage.ManageEvent, manage.evolve),
    (forgetting.ForgettingEvent, forgetting.evolve),
    (backend_change.ShareBackendChanged, backend_change.evolve),
    (server_attachment.AttachmentEvent, server_attachment.evolve),
    (ensure.EnsureEvent, ensure.evolve),
    (access.AccessEvent, _evolve_access),
    (snapshot_messages.SnapshotEvent, snapshots_of_share.evolve),
    (snapshot_access.SnapshotAccessEvent, snapshots_of_share.evolve_access),
    (holds.HoldEvent, _evolve_holds),
    (cloning.CloningEvent, cloning.evolve),
    (failure.FailureEvent, failure.evolve),
    (attempts.AttemptEvent, _evolve_attempt),
    (RequestJoined, _evolve_joined),
)

_SENTENCES: Mapping[type[Event], Callable[[Any, str], str]] = _by_type(
    (creation.CreationEvent, creation.sentence),
    (deletion.DeletionEvent, deletion.sentence),
    (locks.LockEvent, locks.sentence),
    (soft_deletion.SoftDeletionEvent, soft_deletion.sentence),
    (unknown_deletion.UnknownShareDeletionRequested, unknown_deletion.sentence),
    (resize.ResizeEvent, resize.sentence),
    (properties.PropertiesEvent, properties.sentence),
    (revert.RevertEvent, revert.sentence),
    (manage.ManageEvent, manage.sentence),
    (forgetting.ForgettingEvent, forgetting.sentence),
    (backend_change.ShareBackendChanged, backend_change.sentence),
    (server_attachment.AttachmentEvent, server_attachment.sentence),
    (ensure.EnsureEvent, ensure.sentence),
    (access.AccessEvent, access.sentence),
    (snapshot_messages.SnapshotEvent, snapshots.sentence),
    (snapshot_access.SnapshotAccessEvent, snapshot_access.sentence),
    (holds.HoldEvent, holds.sentence),
    (cloning.CloningEvent, cloning.sentence),
    (failure.FailureEvent, failure.sentence),
    (attempts.AttemptEvent, attempts.sentence),
    (RequestJoined, attempts.joined_sentence),
)


def sentence(event: ShareEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    return _SENTENCES[type(event)](event, who)


# -- pending -------------------------------------------------------------------------------------
def pending(state: ShareState) -> ShareEffect | None:
    """The effect that is owed next: one at a time, a deletion before all else."""
    match state.share.status:
        case "creating":
            return _of_creating(state)
        case "deleting":
            return deletion.pending(state)
        case "extending":
            return resize.pending(state, "extend")
        case "shrinking":
            return resize.pending(state, "shrink")
        case "reverting":
            return revert.pending(state)
        case "available" | "reverting_error" | "soft_deleted":
            return _of_available(state)
        case "error" if work_failed(state):
            return _of_available(state)
        case "error":
            dropping = snapshots.dropping(state.snapshots, state.holds.snapshots)
            return _withdrawn_first(dropping, state) or cloning.releasing(state)
        case "manage_starting":
            return manage.pending(state)
        case "unmanage_starting":
            released = state.doing == "forget" or state.withdrawn
            leaving = ReleaseServer() if released else manage.Unmanage()
            return cloning.releasing(state) or leaving
        case "absent" | "deleted" | "unmanaged" | "manage_error" | "unmanage_error":
            return None
        case _:
            assert_never(state.share.status)


def _of_creating(state: ShareState) -> ShareEffect:
    """The snapshot is held first; then there is a share server, then the share."""
    attached = cloning.holding(state) or server_attachment.pending(state)
    return attached or Provision(source=state.source)


def _of_available(state: ShareState) -> ShareEffect | None:
    """Access rules first, then snapshots, then exports, then the release of what it was created from."""
    rules = access.pending(state.rules)
    rules_or_snapshots = rules or (_of_snapshots(state) if state.snapshots.held else None)
    return rules_or_snapshots or ensure.pending(state) or cloning.releasing(state)


def _of_snapshots(state: ShareState) -> ShareEffect | None:
    changing = snapshots.pending(state.snapshots, state.holds.snapshots)
    return snapshot_access.pending(state.snapshots) or _withdrawn_first(changing, state)


def _withdrawn_first(
    effect: snapshot_messages.SnapshotEffect | None, state: ShareState
) -> ShareEffect | None:
    return snapshot_access.withdrawn_first(effect, state.snapshots)


def joins(command: ShareCommand, state: ShareState) -> str | None:
    """The pending work that *command* asks for again, when it comes to no event of its own."""
    if isinstance(command, snapshot_access.AllowSnapshotAccess):
        return snapshot_access.joined(command, state.snapshots)
    if isinstance(command, access.AllowAccess):  # the same client may have a rule of another id
        rule = same_client(state.rules, command.access_type, command.access_to)
        return None if rule is None else f"rule/{rule.id}/allow"
    return command.work()


def under_way(state: ShareState) -> bool:
    """Whether an attempt began whose outcome is not recorded."""
    return attempts.under_way(state.attempt)


def not_before(state: ShareState) -> datetime | None:
    """When the next attempt at the pending effect is due; None: now."""
    attempt = state.attempt
    if attempt is None or attempt.retry_at is None:
        return None
    effect = pending(state)
    return attempt.retry_at if effect is not None and effect.key() == attempt.effect else None
