"""Soft deletion: a share is kept for a grace period, in which it can be restored, and then deleted.

available, or in error with its data -> soft_deleted -> as before; or -> deleting. Manila's `soft_delete`.
Clients that have mounted the share go on; nothing of it can be changed meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, assert_never

from pydantic import Field

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.share.protection import locks
from share_actors.events.share.state import ShareState, require_status, work_failed
from share_actors.scheduling.extra_specs import MAX_GRACE

MAX_GRACE_S: Final = int(MAX_GRACE.total_seconds())
GraceSeconds = Annotated[int, Field(strict=True, ge=1, le=MAX_GRACE_S)]


# -- messages ------------------------------------------------------------------------------------
class SoftDeleteShare(Command, topic="share.soft_delete"):
    """Manila's `soft_delete`: delete the share after *grace_s* seconds, unless it is restored before.

    Given again it sets another time.
    """

    grace_s: GraceSeconds
    cascade: bool = False
    at: datetime = EPOCH


class RestoreShare(Command, topic="share.restore"):
    """Manila's `restore`: the share is as before its soft deletion."""


class DeleteDueShare(Command, topic="share.delete_due"):
    """Delete a softly deleted share whose grace period is over, without its snapshots if it has none."""

    at: datetime = EPOCH


class ShareSoftDeleted(Event, topic="share.soft_deleted"):
    """The share is to be deleted at the time *until*."""

    until: datetime
    cascade: bool


class ShareRestored(Event, topic="share.restored"):
    """The share is as before its soft deletion; *ensure*: it is to be exported again."""

    ensure: bool

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("ensure",) if self.ensure else ()


SoftDeletionCommand = SoftDeleteShare | RestoreShare
SoftDeletionEvent = ShareSoftDeleted | ShareRestored


# -- decisions -----------------------------------------------------------------------------------
def decide(command: SoftDeletionCommand, state: ShareState) -> list[SoftDeletionEvent]:
    """The events that *command* comes to; raises `Rejected` if it is not possible now."""
    match command:
        case SoftDeleteShare(grace_s=grace_s):
            return soft_delete(
                command.at + timedelta(seconds=grace_s), state, cascade=command.cascade
            )
        case RestoreShare():
            require_status(state, "soft_deleted")
            return [ShareRestored(ensure=state.before_deletion == "available")]
        case _:
            assert_never(command)


def soft_delete(until: datetime, state: ShareState, *, cascade: bool) -> list[SoftDeletionEvent]:
    """The soft deletion until then; raises `Rejected` if the share cannot be kept or must not be deleted."""
    locks.require_unlocked(state, "deleted")
    if not keeps(state) and state.share.status != "soft_deleted":
        raise Rejected(
            f"the share is {state.share.status}: only a share that is available, or in error after"
            " a resize or a revert, can be deleted with a grace period"
        )
    return [ShareSoftDeleted(until=until, cascade=cascade)]


def keeps(state: ShareState) -> bool:
    """Whether the share has data in use, so that a grace period has a meaning."""
    return state.share.status == "available" or work_failed(state)


def require_due(state: ShareState, now: datetime) -> None:
    """Raise `Rejected` unless the share is softly deleted and its grace period is over."""
    require_status(state, "soft_deleted")
    until = state.share.scheduled_to_be_deleted_at
    if until is None or now < until:
        raise Rejected(f"the share is kept until {until}")


def evolve(state: ShareState, event: SoftDeletionEvent) -> ShareState:
    """The state after *event*."""
    share = state.share
    match event:
        case ShareSoftDeleted(until=until, cascade=cascade):
            again = share.status == "soft_deleted"
            kept = share.replace(status="soft_deleted", scheduled_to_be_deleted_at=until)
            before = state.before_deletion if again else share.status
            return state.replace(share=kept, before_deletion=before, cascade=cascade)
        case ShareRestored(ensure=ensure):
            status = state.before_deletion or "available"
            restored = share.replace(status=status, scheduled_to_be_deleted_at=None)
            return state.replace(
                share=restored,
                before_deletion=None,
                cascade=False,
                ensure=state.ensure or ensure,
            )
        case _:
            assert_never(event)


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: SoftDeletionEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareSoftDeleted(until=until, cascade=cascade):
            how = " with its snapshots" if cascade else ""
            return f"{who} asked to delete it{how} at {until:%Y-%m-%d %H:%M:%S} UTC, unless it is restored"
        case ShareRestored():
            return f"{who} restored it"
        case _:
            assert_never(event)
