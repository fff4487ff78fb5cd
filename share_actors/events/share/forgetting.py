"""Forgetting a share: it leaves the system without a driver call, as when its backend is gone for good.

any status -> unmanaged; a share on a share server is detached from it first: unmanage_starting -> unmanaged.
"""

from __future__ import annotations

from typing import assert_never

from share_actors.events.decider import Command, Event, Rejected, Settled
from share_actors.events.share.state import ShareState, initial
from share_actors.values.checks.fields import Reason


# -- messages ------------------------------------------------------------------------------------
class ForgetShare(Command, topic="share.forget"):
    """Forget the share, its access rules and its snapshots; *reason* is recorded. No driver is called."""

    reason: Reason

    def work(self) -> str:
        """Return the requested work."""
        return "forget"


class ShareForgetRequested(Event, topic="share.forget_requested"):
    """The share is to be forgotten, for this *reason*."""

    reason: str

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("forget",)


class ShareForgotten(Event, topic="share.forgotten"):
    """The share is no longer managed, and its driver was not called, for this *reason*."""

    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("forget"), Settled("unmanage"), Settled("*", "the share was forgotten"))


ForgettingCommand = ForgetShare
ForgettingEvent = ShareForgetRequested | ShareForgotten


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ForgetShare, state: ShareState) -> list[ForgettingEvent]:
    """The events that *command* comes to; raises `Rejected` if the share is deleted."""
    status = state.share.status
    if status == "deleted":
        raise Rejected("the share is deleted; there is nothing to forget")
    if status == "unmanaged" or (status == "unmanage_starting" and state.doing == "forget"):
        return []
    requested = ShareForgetRequested(reason=command.reason)
    if state.hold is not None or state.share.share_network_id is not None:
        return [
            requested
        ]  # it releases the snapshot that it is created from, and leaves its server
    return [requested, ShareForgotten(reason=command.reason)]


def forgotten(state: ShareState) -> ShareForgotten:
    """The end of a share that was to be forgotten, with the reason for that."""
    return ShareForgotten(reason=state.share.status_reason or "it was to be forgotten")


def evolve(state: ShareState, event: ForgettingEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareForgetRequested(reason=reason):
            leaving = state.share.replace(
                status="unmanage_starting",
                status_reason=reason,
                scheduled_to_be_deleted_at=None,
                locks=(),
            )
            return state.replace(share=leaving, doing="forget", before_deletion=None)
        case ShareForgotten(reason=reason):
            forgotten = state.share.replace(status="unmanaged", status_reason=reason)
            rules = state.rules
            applied = tuple(rule for i, rule in rules.rules.items() if i in rules.applied)
            return initial.replace(
                share=forgotten.replace(share_server_id=None),
                former_rules=state.former_rules + applied,
                found=state.found - state.room,
            )
        case _:
            assert_never(event)


def sentence(event: ForgettingEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareForgetRequested(reason=reason):
            return f"{who} asked to forget it: {reason}"
        case ShareForgotten(reason=reason):
            return f"it is no longer managed; its driver was not called: {reason}"
        case _:
            assert_never(event)
