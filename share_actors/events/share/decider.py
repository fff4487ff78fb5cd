"""A share: one exported filesystem on one backend, with its access rules and its snapshots.

absent -> creating -> available <-> extending, shrinking; -> deleting -> deleted; or rest in error.
One stream holds all of it; `access.py` and `snapshots.py` decide and evolve their own parts.
"""

from __future__ import annotations

from typing import Literal, assert_never

from share_actors.events import attempts
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Rejected
from share_actors.events.share import (
    access,
    ensure,
    manage,
    server_attachment,
    snapshot_messages,
    snapshots,
)
from share_actors.events.share.effects import joins, not_before, pending, resize_failed, under_way
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    CreateShare,
    DeleteShare,
    Destroy,
    ExtendShare,
    RetryRequested,
    RetryShare,
    ShareCommand,
    ShareCreated,
    ShareCreationRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareEvent,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
    ShrinkShare,
)
from share_actors.events.share.state import ERRORS, ShareState, evolve, initial, part, view

__all__ = [
    "KIND", "STATE_VERSION", "ShareState",
    "decide", "evolve", "initial", "joins", "not_before", "part", "pending", "under_way", "view",
]  # fmt: skip

KIND = "share"
STATE_VERSION = 4
"""Grows when a state snapshot of before can't be read any more; it is then replayed instead."""


# -- decide --------------------------------------------------------------------------------------
_Confirmed = (
    ConfirmCreated | ConfirmResized | ConfirmDeleted | access.ConfirmRules
    | snapshot_messages.ConfirmSnapshotCreated | snapshot_messages.ConfirmSnapshotDeleted
    | snapshot_messages.ConfirmSnapshotManaged | snapshot_messages.ConfirmSnapshotUnmanaged
    | manage.ConfirmManaged | manage.ConfirmUnmanaged
    | server_attachment.ConfirmServer | server_attachment.ConfirmReleased | ensure.ConfirmEnsured
)  # fmt: skip


def decide(command: ShareCommand, state: ShareState) -> list[ShareEvent]:
    """The events that *command* comes to; raises `Rejected` when it makes no sense now."""
    if isinstance(command, _Confirmed):
        return _confirmed(command, state)
    match command:
        case CreateShare():
            return _create(command, state)
        case ManageShare():
            return _manage(command, state)
        case BeginAttempt():
            return [attempts.begin(command, pending(state), state.attempt)]
        case ReportFailure():
            return _failure(command, state)
        case _ if state.share.status == "absent":
            raise Rejected("there is no such share")
        case _:
            return _asked(command, state)


def _confirmed(command: _Confirmed, state: ShareState) -> list[ShareEvent]:
    """The outcome of the attempt under way, which must be at that."""
    match command:
        case ConfirmDeleted():
            return _deleted(state)
        case access.ConfirmRules():
            return _rules_confirmed(command, state)
        case snapshot_messages.ConfirmSnapshotDeleted(snapshot_id=i):
            attempts.require(state.attempt, f"snapshot/{i}/delete", "delete")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshot_messages.ConfirmSnapshotCreated(snapshot_id=i):
            attempts.require(state.attempt, f"snapshot/{i}/create")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshot_messages.ConfirmSnapshotManaged(snapshot_id=i):
            attempts.require(state.attempt, f"snapshot/{i}/manage")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshot_messages.ConfirmSnapshotUnmanaged(snapshot_id=i):
            attempts.require(state.attempt, f"snapshot/{i}/unmanage")
            return [*snapshots.decide(command, state.snapshots)]
        case _:
            effect, event = _came_of(command)
            attempts.require(state.attempt, effect)
            return [event]


def _came_of(
    command: ConfirmCreated | ConfirmResized | manage.ConfirmManaged | manage.ConfirmUnmanaged
    | server_attachment.ConfirmServer | server_attachment.ConfirmReleased | ensure.ConfirmEnsured,
) -> tuple[str, ShareEvent]:  # fmt: skip
    """The key of the effect that was attempted, and the event that it is done."""
    match command:
        case ConfirmCreated(export_locations=locations):
            return "create", ShareCreated(export_locations=locations)
        case ConfirmResized(doing=doing, size=size):
            return doing, ShareResized(doing=doing, size=size)
        case manage.ConfirmManaged():
            return "manage", manage.ShareManaged(**command.__dict__)
        case manage.ConfirmUnmanaged():
            return "unmanage", manage.ShareUnmanaged()
        case server_attachment.ConfirmServer(server=server):
            return "server", server_attachment.ShareServerAcquired(server=server)
        case server_attachment.ConfirmReleased():
            return "release", ShareDeleted()
        case ensure.ConfirmEnsured(export_locations=there):
            return "ensure", ensure.ShareEnsured(export_locations=there)
        case _:
            assert_never(command)


_Request = (
    DeleteShare | ExtendShare | ShrinkShare | RetryShare | access.AllowAccess | access.DenyAccess
    | snapshot_messages.CreateSnapshot | snapshot_messages.DeleteSnapshot | snapshot_messages.ManageSnapshot
    | snapshot_messages.UnmanageSnapshot | UnmanageShare | ensure.EnsureShare
)  # fmt: skip


def _asked(command: _Request, state: ShareState) -> list[ShareEvent]:
    """What a client asked of a share that exists."""
    match command:
        case DeleteShare(cascade=cascade):
            return _delete(cascade, state)
        case ExtendShare() | ShrinkShare():
            return _resize(command, state)
        case RetryShare():
            return _retry(state)
        case access.AllowAccess() | access.DenyAccess():
            if not resize_failed(state):
                _require(state, "creating", "available", "extending", "shrinking")
            return [*access.decide(command, state.rules)]
        case snapshot_messages.CreateSnapshot():
            _require(state, "available")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshot_messages.DeleteSnapshot():
            _require(state, "available", "extending", "shrinking", "error")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshot_messages.ManageSnapshot() | snapshot_messages.UnmanageSnapshot():
            _require(state, "available")
            return [*snapshots.decide(command, state.snapshots)]
        case UnmanageShare():
            return _unmanage(state)
        case ensure.EnsureShare(info=info):
            _require(state, "available")
            return [] if state.ensure else [ensure.ShareEnsureRequested(info=info)]
        case _:
            assert_never(command)


def _require(state: ShareState, *statuses: str) -> None:
    if state.share.status not in statuses:
        raise Rejected(f"the share is {state.share.status}; it must be {' or '.join(statuses)}")


def _create(command: CreateShare, state: ShareState) -> list[ShareEvent]:
    asked = {**command.__dict__}
    if state.share.status == "absent":
        del asked["same_host"], asked["different_host"]
        return [ShareCreationRequested(**asked)]
    if state.share.status in ("creating", "available", "extending", "shrinking"):
        source = None if command.source is None else command.source.id
        same = ["name", "share_proto", "project_id", "size", "share_network_id"]
        same += ["host"] if command.placement is None else []  # else it was chosen, not asked for
        if source == state.share.snapshot_id and all(asked[k] == state.share[k] for k in same):
            return []  # the same request, asked again
    raise Rejected(f"share {command.share_id} exists already and is {state.share.status}")


def _manage(command: ManageShare, state: ShareState) -> list[ShareEvent]:
    if state.share.status == "absent":
        return [manage.ShareManageRequested(**{**command.__dict__})]
    asked, same = command.__dict__, ("name", "share_proto", "project_id")
    other = state.doing == "manage" and command.driver_options != state.driver_options
    there = command.host in (state.share.host, state.share.backend)
    alike = there and not other and all(asked[k] == state.share[k] for k in same)
    if alike and state.share.status in ("manage_starting", "available"):
        return []  # the same request, asked again
    raise Rejected(f"share {command.share_id} exists already and is {state.share.status}")


_NOT_OURS = ("manage_starting", "manage_error", "unmanage_starting", "unmanaged")


def _unmanage(state: ShareState) -> list[ShareEvent]:
    """`UnmanageInvalidShare`, when what is with the share could not be found again without it."""
    if state.share.status in ("unmanage_starting", "unmanaged"):
        return []
    if state.share.status != "error" or state.doing == "delete":
        _require(state, "available", "manage_error", "unmanage_error")
    if state.snapshots.held:
        held = ", ".join(state.snapshots.held)
        raise Rejected(f"the share has snapshots ({held}): unmanage or delete them first")
    if state.share.share_network_id is not None:
        raise Rejected("the share is on a share server, which would be torn down with it")
    return [manage.ShareUnmanageRequested()]


def _delete(cascade: bool, state: ShareState) -> list[ShareEvent]:
    if state.share.status in ("deleting", "deleted"):
        return []
    if state.share.status in _NOT_OURS:
        raise Rejected(f"the share is {state.share.status}: what exists is not ours to delete")
    kept = [i for i, s in state.snapshots.held.items() if s.status in snapshots.NOT_OURS]
    if kept:
        raise Rejected(
            f"the share has snapshots that are not ours ({', '.join(kept)}): unmanage them"
        )
    if state.snapshots.held and not cascade:
        held = ", ".join(state.snapshots.held)
        raise Rejected(f"the share has snapshots ({held}): delete them first, or cascade")
    return [ShareDeletionRequested(cascade=cascade)]


def _resize(command: ExtendShare | ShrinkShare, state: ShareState) -> list[ShareEvent]:
    _require(state, "available")
    size, now = command.size, state.share.size
    if isinstance(command, ExtendShare):
        if size <= now:
            raise Rejected(f"size {size} GiB is not more than the present {now} GiB")
        return [ShareResizeRequested(doing="extend", size=size)]
    if size >= now:
        raise Rejected(f"size {size} GiB is not less than the present {now} GiB")
    return [ShareResizeRequested(doing="shrink", size=size)]


def _retry(state: ShareState) -> list[ShareEvent]:
    works: list[str] = [state.doing] if state.share.status in ERRORS and state.doing else []
    if state.share.status in ("error", "available") and state.doing != "delete":
        works += [*access.in_error(state.rules), *snapshots.in_error(state.snapshots)]
        if state.doing == "create":  # who asked for these was told that the share has failed
            works += access.owed(state.rules)
    if not works:
        raise Rejected(f"nothing is in error: the share is {state.share.status}")
    return [RetryRequested(works=tuple(works))]


# -- decide: what an attempt comes to ------------------------------------------------------------
def _deleted(state: ShareState) -> list[ShareEvent]:
    attempts.require(state.attempt, "delete")
    if pending(state) != Destroy():
        raise Rejected("the share's snapshots and rules go before it")
    on_server = state.share.share_network_id is not None
    return [server_attachment.ShareDestroyed() if on_server else ShareDeleted()]


def _rules_confirmed(command: access.ConfirmRules, state: ShareState) -> list[ShareEvent]:
    attempts.require(state.attempt, "access", "delete")
    if state.attempt is None or state.attempt.effect == "access" or not command.failed:
        return [*access.decide(command, state.rules)]
    # A rule that does not come off ends the deletion; trying it again at once would never end.
    reason = "; ".join(f"access rule {i}: {why}" for i, why in command.failed.items())
    off = access.decide(command.replace(failed={}), state.rules) if command.removed else []
    return [*off, ShareErrored(doing="delete", reason=reason)]


def _failure(command: ReportFailure, state: ShareState) -> list[ShareEvent]:
    attempt = state.attempt
    if attempt is None:
        raise Rejected("no attempt is being made")
    failed = attempts.failed(command, attempt)
    if isinstance(failed, str):
        return [_given_up(attempt.effect, command.kind, failed, state)]
    return [failed]


def _given_up(effect: str, kind: str, reason: str, state: ShareState) -> ShareEvent:
    """The event for an effect that failed for good; *effect* is the key of the attempt."""
    match effect.split("/"):
        case ["create" | "server"]:
            return ShareErrored(doing="create", reason=reason)
        case ["manage" | "unmanage" as held]:
            custody_of: Literal["manage", "unmanage"] = "manage" if held == "manage" else "unmanage"
            return ShareErrored(doing=custody_of, reason=reason)
        case ["ensure"]:
            return ensure.ShareEnsureFailed(reason=reason)
        case ["extend" | "shrink" as doing]:
            was: Literal["extend", "shrink"] = "shrink" if doing == "shrink" else "extend"
            if kind == "refused":
                return ShareResizeRefused(doing=was, reason=reason)
            return ShareErrored(doing=was, reason=reason)
        case ["snapshot", i, doing]:
            return snapshots.failed(i, doing, kind, reason)
        case ["access"]:
            return access.failed(state.rules, reason)
        case _:
            return ShareErrored(doing="delete", reason=reason)
