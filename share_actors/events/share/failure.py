"""Failures of a share, and their retry: an error keeps its reason and has two exits, retry and delete."""

from __future__ import annotations

from typing import assert_never

from share_actors.events import attempts
from share_actors.events.attempts import AttemptFailed, ReportFailure
from share_actors.events.decider import Command, Event, Rejected, Settled
from share_actors.events.phrases import PARTICIPLES, joined, phrase
from share_actors.events.share import access, revert
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.ensure import ShareEnsureFailed
from share_actors.events.share.resize import ShareResizeRefused
from share_actors.events.share.revert import ShareRevertRefused
from share_actors.events.share.room import after_failure, after_retry
from share_actors.events.share.snapshot import access as snapshot_access
from share_actors.events.share.snapshot import cloning
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot.messages import SnapshotEvent
from share_actors.events.share.state import Doing, ShareState
from share_actors.values import PlacementRequest, ShareStatus


# -- messages ------------------------------------------------------------------------------------
class RetryShare(Command, topic="share.retry"):
    """All that failed on the share, its rules and its snapshots becomes pending again."""

    def placement_request(self) -> PlacementRequest:
        """Return what the scheduler has to know: a retry takes the room again that the failure gave back."""
        return PlacementRequest(0, share_proto="", host="")


class ShareErrored(Event, topic="share.errored"):
    """The work *doing* failed for good; the share is in error with the reason."""

    doing: Doing
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        over = Settled(self.doing, self.reason)
        if self.doing == "create":  # rules that wait for the share wait for a retry now
            return (over, Settled("rule/*", f"the share could not be created: {self.reason}"))
        if self.doing == "delete":  # works that the deletion superseded will never be done
            return (over, *(Settled(work, "the share is being deleted") for work in _SUPERSEDED))
        if self.doing == "forget":
            return (over, *(Settled(work, "the share is being forgotten") for work in _SUPERSEDED))
        if self.doing == "unmanage":
            waiting = ("ensure", "rule/*")  # a share with snapshots is not unmanaged
            return (over, *(Settled(work, "the share is being unmanaged") for work in waiting))
        return (over,)


_SUPERSEDED = (
    "create",
    "extend",
    "shrink",
    "revert",
    "unmanage",
    "ensure",
    "rule/*",
    "snapshot/*/create",
    "snapshot/*manage",
    "snapshot/*/allow",
    "snapshot/*/deny",
)


class RetryRequested(Event, topic="share.retry_requested"):
    """*works* are pending again."""

    works: tuple[str, ...]

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return self.works


FailureCommand = RetryShare | ReportFailure
FailureEvent = ShareErrored | RetryRequested
FinalFailure = (
    ShareErrored
    | ShareResizeRefused
    | ShareRevertRefused
    | ShareEnsureFailed
    | AccessRulesApplied
    | SnapshotEvent
)

ERRORS: tuple[ShareStatus, ...] = ("error", "reverting_error", "manage_error", "unmanage_error")
_FAILED: dict[Doing, ShareStatus] = {
    "revert": "reverting_error",
    "manage": "manage_error",
    "unmanage": "unmanage_error",
    "forget": "unmanage_error",
}
_WITH_PARTS = ("available", "error", "reverting_error")
"""The statuses in which a retry also concerns the rules and the snapshots of the share."""
_RESUMED: dict[Doing, ShareStatus] = {
    "create": "creating",
    "extend": "extending",
    "shrink": "shrinking",
    "revert": "reverting",
    "delete": "deleting",
    "manage": "manage_starting",
    "unmanage": "unmanage_starting",
    "forget": "unmanage_starting",
}


# -- decisions -----------------------------------------------------------------------------------
def decide(
    command: FailureCommand, state: ShareState
) -> list[RetryRequested | AttemptFailed | FinalFailure]:
    """A retry of what failed; or that the attempt in progress failed, for now or for good."""
    match command:
        case RetryShare():
            return [retry(state)]
        case ReportFailure():
            return [_failure(command, state)]
        case _:
            assert_never(command)


def retry(state: ShareState) -> RetryRequested:
    """The retry of all that failed; raises `Rejected` if nothing did."""
    works: list[str] = [state.doing] if state.share.status in ERRORS and state.doing else []
    if state.share.status in _WITH_PARTS and state.doing != "delete":
        works += [*access.in_error(state.rules), *snapshots.in_error(state.snapshots)]
        works += snapshot_access.in_error(state.snapshots)
        if state.doing == "create":  # their requests were answered that the share has failed
            works += access.owed(state.rules)
    if not works:
        raise Rejected(f"nothing is in error: the share is {state.share.status}")
    return RetryRequested(works=tuple(works))


def _failure(command: ReportFailure, state: ShareState) -> AttemptFailed | FinalFailure:
    if state.attempt is None:
        raise Rejected("no attempt is in progress")
    if state.attempt.effect == cloning.RELEASE:  # a snapshot must not be held for ever
        return attempts.again(command, state.attempt)
    failed = attempts.failed(command, state.attempt)
    if isinstance(failed, AttemptFailed):
        return failed
    return _final(
        state.attempt.effect, refused=command.kind == "refused", reason=failed, state=state
    )


def _final(effect: str, *, refused: bool, reason: str, state: ShareState) -> FinalFailure:
    """The event for an effect that failed for good; *effect* is the key of the attempt."""
    match effect.split("/"):
        case ["server"] if state.doing == "manage":
            return ShareErrored(doing="manage", reason=reason)
        case ["create" | "server" | "hold"]:
            return ShareErrored(doing="create", reason=reason)
        case ["manage" | "unmanage" as doing]:
            return ShareErrored(doing=doing, reason=reason)
        case ["ensure"]:
            return ShareEnsureFailed(reason=reason)
        case ["extend" | "shrink" as doing]:
            kind = ShareResizeRefused if refused else ShareErrored
            return kind(doing=doing, reason=reason)
        case ["revert"] if refused and state.revert_to is not None:
            return ShareRevertRefused(snapshot_id=state.revert_to.id, reason=reason)
        case ["revert"]:
            return ShareErrored(doing="revert", reason=reason)
        case ["snapshot", i, "access"]:
            return snapshot_access.failed(i, reason, state.snapshots)
        case ["snapshot", i, doing]:
            return snapshots.failed(i, doing, refused=refused, reason=reason)
        case ["release"] if state.doing in ("forget", "unmanage"):
            return ShareErrored(doing=state.doing, reason=reason)
        case ["access"]:
            return access.failed(state.rules, reason)
        case _:
            return ShareErrored(doing="delete", reason=reason)


def evolve(state: ShareState, event: FailureEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareErrored(doing=doing, reason=reason):
            if doing == "revert":
                state = revert.not_restoring(state)
            if state.doing != doing:
                return state.replace(
                    attempt=None
                )  # a deletion waits behind what failed: it goes on
            status = _FAILED.get(doing, "error")
            errored = state.share.replace(status=status, status_reason=reason)
            return state.replace(share=errored, attempt=None, room=after_failure(state))
        case RetryRequested():
            return _retried(state)
        case _:
            assert_never(event)


def _retried(state: ShareState) -> ShareState:
    share = state.share
    if share.status in ERRORS and state.doing is not None:
        resumed = share.replace(status=_RESUMED[state.doing], status_reason=None)
        state = state.replace(share=resumed, room=after_retry(state))
    if state.doing == "revert":
        state = revert.restoring(state)
    if state.doing in ("delete", "unmanage", "forget"):
        return state  # its rules and snapshots are only removed
    return state.replace(
        rules=access.retried(state.rules), snapshots=snapshots.retried(state.snapshots)
    )


def sentence(event: FailureEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareErrored(doing=doing, reason=reason):
            return f"it could not be {PARTICIPLES[doing]} and is now in error: {reason}"
        case RetryRequested(works=works):
            return f"{who} asked to try again to {joined(phrase(work) for work in works)}"
        case _:
            assert_never(event)
