"""A share: one exported filesystem on one backend, with its access rules and its snapshots.

absent -> creating -> available <-> extending, shrinking; -> deleting -> deleted; or rest in error.
One stream holds all of it; `access.py` and `snapshots.py` decide and evolve their own parts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, assert_never

from share_actors.events import access, snapshots
from share_actors.events.access import Rules
from share_actors.events.base import BeginAttempt, Rejected, ReportFailure
from share_actors.events.share_words import (
    AttemptFailed,
    AttemptStarted,
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    CreateShare,
    DeleteShare,
    Destroy,
    Doing,
    ExtendShare,
    Provision,
    Resize,
    RetryRequested,
    RetryShare,
    ShareCommand,
    ShareCreated,
    ShareCreationRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareEffect,
    ShareErrored,
    ShareEvent,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
    ShrinkShare,
)
from share_actors.events.snapshots import Snapshots
from share_actors.values import Frozen, Share, ShareStatus, Snapshot


# -- state ---------------------------------------------------------------------------------------
class Attempt(Frozen):
    """The last attempt at an effect; `retry_at` is set while the next one waits for its time."""

    n: int
    effect: str
    retry_at: datetime | None = None
    reason: str | None = None


class ShareState(Frozen):
    """`share` is what drivers and clients see; `doing` is what is owed, or what failed when in error."""

    share: Share = Share()
    doing: Doing | None = None
    resize_to: int = 0
    cascade: bool = False
    source: Snapshot | None = None
    rules: Rules = access.initial
    snapshots: Snapshots = snapshots.initial
    attempt: Attempt | None = None


initial = ShareState()


def view(state: ShareState) -> Share:
    """The share with its rules and snapshots, as clients and drivers see it."""
    rules = tuple(state.rules.rules.values())
    held = tuple(state.snapshots.held.values())
    return state.share.but(access_rules=rules, snapshots=held)


# -- decide --------------------------------------------------------------------------------------
def decide(command: ShareCommand, state: ShareState) -> list[ShareEvent]:
    """The events that *command* comes to; raises `Rejected` when it makes no sense now."""
    match command:
        case CreateShare():
            return _create(command, state)
        case BeginAttempt():
            return _begin(command, state)
        case ReportFailure():
            return _failure(command, state)
        case ConfirmCreated(export_locations=locations):
            return [ShareCreated(export_locations=locations)]
        case ConfirmResized(doing=doing, size=size):
            return [ShareResized(doing=doing, size=size)]
        case ConfirmDeleted():
            return [ShareDeleted()]
        case access.ConfirmRules():
            return [*access.decide(command, state.rules)]
        case snapshots.ConfirmSnapshotCreated() | snapshots.ConfirmSnapshotDeleted():
            return [*snapshots.decide(command, state.snapshots)]
        case _ if state.share.status == "absent":
            raise Rejected("there is no such share")
        case DeleteShare(cascade=cascade):
            return _delete(cascade, state)
        case ExtendShare() | ShrinkShare():
            return _resize(command, state)
        case RetryShare():
            return _retry(state)
        case access.AllowAccess() | access.DenyAccess():
            _require(state, "creating", "available", "extending", "shrinking")
            return [*access.decide(command, state.rules)]
        case snapshots.CreateSnapshot():
            _require(state, "available")
            return [*snapshots.decide(command, state.snapshots)]
        case snapshots.DeleteSnapshot():
            _require(state, "available", "extending", "shrinking", "error")
            return [*snapshots.decide(command, state.snapshots)]
        case _:
            assert_never(command)


def _require(state: ShareState, *statuses: str) -> None:
    if state.share.status not in statuses:
        raise Rejected(f"the share is {state.share.status}; it must be {' or '.join(statuses)}")


def _create(command: CreateShare, state: ShareState) -> list[ShareEvent]:
    asked = dict(command)
    if state.share.status == "absent":
        return [ShareCreationRequested(**asked)]
    same = ("name", "share_proto", "host", "project_id")
    if state.share.status != "deleted" and all(asked[k] == getattr(state.share, k) for k in same):
        if command.size == state.share.size:
            return []  # the same request, asked again
    raise Rejected(f"share {command.share_id} exists already and is {state.share.status}")


def _delete(cascade: bool, state: ShareState) -> list[ShareEvent]:
    if state.share.status == "deleted" or (state.share.status == "deleting" and not cascade):
        return []
    if state.snapshots.held and not cascade:
        held = ", ".join(state.snapshots.held)
        raise Rejected(f"the share has snapshots ({held}): delete them first, or cascade")
    if state.share.status == "deleting" and state.cascade:
        return []
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
    works: list[str] = [state.doing] if state.share.status == "error" and state.doing else []
    if state.share.status in ("error", "available"):
        works += [*access.in_error(state.rules), *snapshots.in_error(state.snapshots)]
    if not works:
        raise Rejected(f"nothing is in error: the share is {state.share.status}")
    return [RetryRequested(works=tuple(works))]


def _begin(command: BeginAttempt, state: ShareState) -> list[ShareEvent]:
    effect = pending(state)
    if effect is None:
        raise Rejected("nothing is owed")
    last = state.attempt
    n = last.n + 1 if last is not None and last.effect == effect.key() else 1
    activation, timeout_s = command.activation, command.timeout_s
    return [AttemptStarted(n=n, effect=effect.key(), activation=activation, timeout_s=timeout_s)]


# -- decide: what a failed attempt comes to ------------------------------------------------------
def _failure(command: ReportFailure, state: ShareState) -> list[ShareEvent]:
    attempt = state.attempt
    if attempt is None:
        raise Rejected("no attempt is being made")
    kind, reason = command.kind, command.reason
    if kind == "failed" or kind == "refused":
        return [_given_up(attempt.effect, kind, reason, state)]
    if attempt.n < command.max_attempts:
        at = command.retry_at
        return [
            AttemptFailed(n=attempt.n, effect=attempt.effect, kind=kind, reason=reason, retry_at=at)
        ]
    tried = f"{reason} (gave up after {attempt.n} attempts)"
    return [_given_up(attempt.effect, kind, tried, state)]


def _given_up(effect: str, kind: str, reason: str, state: ShareState) -> ShareEvent:
    """The event for an effect that failed for good; *effect* is the key of the attempt."""
    match effect.split("/"):
        case ["create"]:
            return ShareErrored(doing="create", reason=reason)
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


# -- evolve --------------------------------------------------------------------------------------
def evolve(state: ShareState, event: ShareEvent) -> ShareState:
    """The state after *event*; total, and never wrong about what the log says."""
    match event:
        case AttemptStarted() | AttemptFailed():
            return _attempted(state, event)
        case access.AccessAllowed() | access.AccessDenied():
            return state.but(rules=access.evolve(state.rules, event))
        case access.AccessRulesApplied():
            return state.but(rules=access.evolve(state.rules, event), attempt=None)
        case snapshots.SnapshotRequested(snapshot_id=i):
            share = state.share
            held = snapshots.evolve(state.snapshots, event).change(
                i, "creating", share_id=share.id, size=share.size, share_proto=share.share_proto
            )
            return state.but(snapshots=held)
        case snapshots.SnapshotDeletionRequested():
            return state.but(snapshots=snapshots.evolve(state.snapshots, event))
        case (
            snapshots.SnapshotCreated()
            | snapshots.SnapshotDeleted()
            | snapshots.SnapshotErrored()
            | snapshots.SnapshotDeletionRefused()
        ):
            return state.but(snapshots=snapshots.evolve(state.snapshots, event), attempt=None)
        case _:
            return _evolve_share(state, event)


def _attempted(state: ShareState, event: AttemptStarted | AttemptFailed) -> ShareState:
    if isinstance(event, AttemptFailed):
        attempt = Attempt(
            n=event.n, effect=event.effect, retry_at=event.retry_at, reason=event.reason
        )
        return state.but(attempt=attempt)
    rules = access.started(state.rules) if event.effect == "access" else state.rules
    return state.but(attempt=Attempt(n=event.n, effect=event.effect), rules=rules)


_Own = (
    ShareCreationRequested | ShareCreated | ShareResizeRequested | ShareResized | ShareResizeRefused
    | ShareDeletionRequested | ShareDeleted | ShareErrored | RetryRequested
)  # fmt: skip


def _evolve_share(state: ShareState, event: _Own) -> ShareState:
    share = state.share
    match event:
        case ShareCreationRequested():
            return state.but(share=_requested(event), doing="create", source=event.source)
        case ShareCreated(export_locations=locations):
            exported = share.but(export_locations=locations)
            return _settle(state.but(share=exported), was="create")
        case ShareResizeRequested(doing=doing, size=size):
            status = "extending" if doing == "extend" else "shrinking"
            resizing = share.but(status=status, status_reason=None)
            return state.but(share=resizing, doing=doing, resize_to=size)
        case ShareResized(doing=doing, size=size):
            return _settle(state.but(share=share.but(size=size)), was=doing)
        case ShareResizeRefused(doing=doing, reason=reason):
            return _settle(state, was=doing, reason=reason)
        case ShareDeletionRequested(cascade=cascade):
            deleting = share.but(status="deleting", status_reason=None)
            return state.but(share=deleting, doing="delete", cascade=cascade)
        case ShareDeleted():
            gone = share.but(status="deleted", export_locations=(), status_reason=None)
            return initial.but(share=gone)
        case ShareErrored(doing=doing, reason=reason):
            if state.doing not in (doing, None):
                return state.but(attempt=None)  # a deletion waits behind what failed: it goes on
            errored = share.but(status="error", status_reason=reason)
            return state.but(share=errored, attempt=None)
        case RetryRequested():
            return _retried(state)
        case _:
            assert_never(event)


def _requested(event: ShareCreationRequested) -> Share:
    asked = dict(event)
    asked["id"] = asked.pop("share_id")
    asked["created_at"] = asked.pop("at")
    source = asked.pop("source")
    from_id = None if source is None else source.id
    return Share.model_construct(**asked, status="creating", snapshot_id=from_id)


def _settle(state: ShareState, was: Doing, reason: str | None = None) -> ShareState:
    """What was being done is over; the share is available unless something else is owed by now."""
    if state.doing != was:
        return state.but(attempt=None)
    share = state.share.but(status="available", status_reason=reason)
    return state.but(share=share, doing=None, resize_to=0, source=None, attempt=None)


_RESUMED: dict[Doing, ShareStatus] = {
    "create": "creating",
    "extend": "extending",
    "shrink": "shrinking",
    "delete": "deleting",
}


def _retried(state: ShareState) -> ShareState:
    share = state.share
    if share.status == "error" and state.doing is not None:
        share = share.but(status=_RESUMED[state.doing], status_reason=None)
    rules, held = access.retried(state.rules), snapshots.retried(state.snapshots)
    return state.but(share=share, rules=rules, snapshots=held, attempt=None)


# -- pending -------------------------------------------------------------------------------------
def pending(state: ShareState) -> ShareEffect | None:
    """What is owed to the backend next: one thing at a time, deletion before all else."""
    match state.share.status:
        case "creating":
            return Provision(source=state.source)
        case "deleting":
            dropped = snapshots.removal(state.snapshots)
            return dropped or access.removal(state.rules) or Destroy()
        case "extending":
            return Resize(doing="extend", size=state.resize_to)
        case "shrinking":
            return Resize(doing="shrink", size=state.resize_to)
        case "available":
            return access.pending(state.rules) or snapshots.pending(state.snapshots)
        case "absent" | "deleted" | "error":
            return None
        case _:
            assert_never(state.share.status)


# -- what a repeated request waits for -----------------------------------------------------------
def joins(command: ShareCommand, state: ShareState) -> str | None:
    """The work under way that *command* asks for once more, when it comes to no event of its own."""
    match command:
        case CreateShare():
            return "create"
        case DeleteShare():
            return "delete"
        case access.AllowAccess(access_type=kind, access_to=to):
            rule = access.same_client(state.rules, kind, to)
            return None if rule is None else f"rule/{rule.id}/allow"
        case access.DenyAccess(access_id=i):
            return f"rule/{i}/deny"
        case snapshots.CreateSnapshot(snapshot_id=i):
            return f"snapshot/{i}/create"
        case snapshots.DeleteSnapshot(snapshot_id=i):
            return f"snapshot/{i}/delete"
        case _:
            return None
