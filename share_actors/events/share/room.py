"""The room that a share takes from its pool: what the scheduler counts, in GiB. Pure.

A creation and an extension take room when they are requested. It is given back when they fail, and taken
again when they are retried; a deletion and a shrink give it back when they are done.
"""

from __future__ import annotations

from operator import add
from typing import NamedTuple

from share_actors.events.share.state import ShareState
from share_actors.policy import Owner, owner_of


class Room(NamedTuple):
    """The GiB of one share, or of all shares of a pool.

    *provisioned* is the size that was promised. *consumed* is the part of it that commands took from the
    free capacity of the pool, so that managing and unmanaging do not change it; *settled* the part of that
    which no call under way concerns. *unsized* is the number of shares that are being managed, whose size
    is not known yet. *returned* and *unsettled* only grow: by how much *consumed* and *settled* ever fell.
    """

    provisioned: int = 0
    consumed: int = 0
    settled: int = 0
    unsized: int = 0
    returned: int = 0
    unsettled: int = 0

    def plus(self, other: Room) -> Room:
        """The sum of both."""
        return Room._make(map(add, self, other))


NO_ROOM = Room()


class ShareRoom(NamedTuple):
    """The pool of a share, the GiB that it takes there, and those that it takes after a retry."""

    host: str
    taken: int
    after_retry: int
    owner: Owner
    share_type: str | None = None


def room_of(state: ShareState) -> Room:
    """The room of one share."""
    room, found = state.room, state.found
    unsized = 1 if state.share.status == "manage_starting" else 0
    return Room(room, room - found, _settled(state) - found, unsized)


def change(before: ShareState, after: ShareState) -> dict[str, Room]:
    """By how much an event that led from one state to the other changed the room taken on each host."""
    then, now = before.share, after.share
    new = room_of(after)
    if then.status in ("absent", "unmanaged") and then.status != now.status:
        return {now.host: new}  # nothing was there yet, or what was left on the backend stays there
    old = room_of(before)
    if then.host == now.host:
        return {now.host: _difference(old, new)}
    return (
        {now.host: new} if old == NO_ROOM else {then.host: _difference(old, NO_ROOM), now.host: new}
    )


def _difference(old: Room, new: Room) -> Room:
    consumed, settled = new.consumed - old.consumed, new.settled - old.settled
    return Room(
        new.provisioned - old.provisioned,
        consumed,
        settled,
        new.unsized - old.unsized,
        returned=-consumed if consumed < 0 else 0,
        unsettled=-settled if settled < 0 else 0,
    )


def share_room(state: ShareState) -> ShareRoom:
    """The pool of a share and what it takes there."""
    share = state.share
    return ShareRoom(share.host, state.room, after_retry(state), owner_of(share), share.share_type)


def after_failure(state: ShareState) -> int:
    """The GiB that the share takes once its work has failed: what was taken for the work is given back."""
    match state.doing:
        case "create":
            return 0
        case "extend":
            return state.share.size
        case _:
            return state.room


def after_retry(state: ShareState) -> int:
    """The GiB that the share takes if its failed work is pending again."""
    if state.share.status != "error":
        return state.room
    match state.doing:
        case "create":
            return state.share.size
        case "extend":
            return state.resize_to
        case _:
            return state.room


def _settled(state: ShareState) -> int:
    """What is on the backend before and after the call under way; without one, all that is taken."""
    match state.share.status:
        case "creating" | "deleting":
            return 0
        case "extending":
            return state.share.size
        case "shrinking":
            return state.resize_to
        case _:
            return state.room
