"""Resizing a share: available -> extending or shrinking -> available, or error."""

from __future__ import annotations

from typing import Literal, assert_never

from share_actors.events import attempts
from share_actors.events.decider import Command, Effect, Event, Rejected, Settled
from share_actors.events.share.state import ShareState, require_status, settle
from share_actors.values import PlacementRequest, ShareStatus, SizeGiB

Direction = Literal["extend", "shrink"]


# -- messages ------------------------------------------------------------------------------------
class ExtendShare(Command, topic="share.extend"):
    """Manila's `extend_share`: *size* is the new size in GiB."""

    size: SizeGiB

    def placement_request(self) -> PlacementRequest:
        """Return what the scheduler has to know: its pool must have room for it."""
        return PlacementRequest(self.size, share_proto="", host="")


class ShrinkShare(Command, topic="share.shrink"):
    """Manila's `shrink_share`: *size* is the new size in GiB."""

    size: SizeGiB

    def placement_request(self) -> PlacementRequest:
        """Return what the scheduler has to know: its type must allow it."""
        return PlacementRequest(self.size, share_proto="", host="")


class ConfirmResized(Command):
    """The backend resized the share."""

    doing: Direction
    size: int


class ShareResizeRequested(Event, topic="share.resize_requested"):
    """The share is to have another size."""

    doing: Direction
    size: int

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return (self.doing,)


class ShareResized(Event, topic="share.resized"):
    """The backend resized the share."""

    doing: Direction
    size: int

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(self.doing),)


class ShareResizeRefused(Event, topic="share.resize_refused"):
    """The backend declined and changed nothing: the share is available again, with the reason."""

    doing: Direction
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled(self.doing, self.reason),)


class Resize(Effect):
    """The driver's `extend_share` or `shrink_share`."""

    doing: Direction
    size: int

    def key(self) -> str:
        """Return the name of the effect."""
        return self.doing


ResizeCommand = ExtendShare | ShrinkShare | ConfirmResized
ResizeEvent = ShareResizeRequested | ShareResized | ShareResizeRefused
_RESIZING: dict[Direction, ShareStatus] = {"extend": "extending", "shrink": "shrinking"}


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ResizeCommand, state: ShareState) -> list[ResizeEvent]:
    """The events that *command* comes to; raises `Rejected` if the size does not fit the direction."""
    match command:
        case ExtendShare(size=size):
            require_status(state, "available")
            if size <= state.share.size:
                raise Rejected(
                    f"size {size} GiB is not more than the present {state.share.size} GiB"
                )
            return [ShareResizeRequested(doing="extend", size=size)]
        case ShrinkShare(size=size):
            require_status(state, "available")
            if size >= state.share.size:
                raise Rejected(
                    f"size {size} GiB is not less than the present {state.share.size} GiB"
                )
            return [ShareResizeRequested(doing="shrink", size=size)]
        case ConfirmResized(doing=doing, size=size):
            attempts.require(state.attempt, doing)
            return [ShareResized(doing=doing, size=size)]
        case _:
            assert_never(command)


def evolve(state: ShareState, event: ResizeEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareResizeRequested(doing=doing, size=size):
            resizing = state.share.replace(status=_RESIZING[doing], status_reason=None)
            room = max(state.room, size)  # a shrink gives room back when it is done
            return state.replace(share=resizing, doing=doing, resize_to=size, room=room)
        case ShareResized(doing=doing, size=size):
            return settle(state, doing, room=size, size=size)
        case ShareResizeRefused(doing=doing, reason=reason):
            return settle(state, doing, reason, room=state.share.size)
        case _:
            assert_never(event)


def pending(state: ShareState, direction: Direction) -> Resize:
    """The driver call that a resize in progress owes."""
    return Resize(doing=direction, size=state.resize_to)


def sentence(event: ResizeEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareResizeRequested(doing=doing, size=size):
            return f"{who} asked to {doing} it to {size} GiB"
        case ShareResized(doing=doing, size=size):
            done = "extended" if doing == "extend" else "shrank"
            return f"the backend {done} it to {size} GiB"
        case ShareResizeRefused(doing=doing, reason=reason):
            return f"the backend refused to {doing} it and changed nothing: {reason}"
        case _:
            assert_never(event)
