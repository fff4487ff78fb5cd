"""The room that a share takes from its pool, through its life."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events.decider import Event
from share_actors.events.share import evolve, initial
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.manage import (
    ShareManaged,
    ShareManageRequested,
    ShareUnmanaged,
    ShareUnmanageRequested,
)
from share_actors.events.share.messages import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.resize import (
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
)
from share_actors.events.share.room import Room, room_of, share_room
from tests.events.share_events import NOON, created, requested

CREATED = (requested(size=10), created())
DELETING, DELETED = ShareDeletionRequested(cascade=False), ShareDeleted()
EXTENDING = ShareResizeRequested(doing="extend", size=30)
SHRINKING = ShareResizeRequested(doing="shrink", size=4)
MANAGED = (
    ShareManageRequested(share_id="s1", spec=requested().spec, driver_options={}, at=NOON),
    ShareManaged(size=7, export_locations=(), pool="p"),
)
UNMANAGED = (ShareUnmanageRequested(), ShareUnmanaged())


def failed(doing: Any) -> ShareErrored:
    return ShareErrored(doing=doing, reason="no")


def resized(doing: Any, size: int) -> ShareResized:
    return ShareResized(doing=doing, size=size)


LIVES: list[tuple[tuple[Event, ...], Room]] = [
    ((), Room()),
    ((requested(size=10),), Room(10, 10, 0)),
    (CREATED, Room(10, 10, 10)),
    ((requested(size=10), failed("create")), Room()),
    ((requested(size=10), failed("create"), RetryRequested(works=("create",))), Room(10, 10, 0)),
    ((requested(size=10), failed("create"), DELETING), Room()),
    ((requested(size=10), DELETING), Room(10, 10, 0)),
    ((*CREATED, EXTENDING), Room(30, 30, 10)),
    ((*CREATED, EXTENDING, resized("extend", 30)), Room(30, 30, 30)),
    ((*CREATED, EXTENDING, ShareResizeRefused(doing="extend", reason="no")), Room(10, 10, 10)),
    ((*CREATED, EXTENDING, failed("extend")), Room(10, 10, 10)),
    ((*CREATED, EXTENDING, failed("extend"), RetryRequested(works=("extend",))), Room(30, 30, 10)),
    ((*CREATED, EXTENDING, failed("extend"), DELETING), Room(10, 10, 0)),
    ((*CREATED, EXTENDING, DELETING), Room(30, 30, 0)),
    ((*CREATED, SHRINKING), Room(10, 10, 4)),
    ((*CREATED, SHRINKING, resized("shrink", 4)), Room(4, 4, 4)),
    ((*CREATED, SHRINKING, ShareResizeRefused(doing="shrink", reason="no")), Room(10, 10, 10)),
    ((*CREATED, SHRINKING, failed("shrink")), Room(10, 10, 10)),
    ((*CREATED, DELETING), Room(10, 10, 0)),
    ((*CREATED, DELETING, failed("delete")), Room(10, 10, 10)),
    ((*CREATED, DELETING, DELETED), Room()),
    (MANAGED[:1], Room(unsized=1)),
    ((MANAGED[0], failed("manage")), Room()),
    (MANAGED, Room(7, 0, 0)),
    ((*MANAGED, EXTENDING, resized("extend", 30)), Room(30, 23, 23)),
    ((*MANAGED, DELETING, DELETED), Room(0, -7, -7)),
    ((*MANAGED, *UNMANAGED), Room()),
    ((*CREATED, UNMANAGED[0]), Room(10, 10, 10)),
    ((*CREATED, *UNMANAGED), Room(0, 10, 10)),
    ((*CREATED, *UNMANAGED, *MANAGED), Room(7, 10, 10)),
]


@pytest.mark.parametrize(("events", "room"), LIVES)
def test_the_room_that_a_share_takes_after_each_life(events: Any, room: Room) -> None:
    assert room_of(state_after(*events)) == room


def state_after(*events: Any) -> Any:
    state = initial
    for event in events:
        state = evolve(state, event)
    return state


@pytest.mark.parametrize(
    ("events", "taken", "after_retry"),
    [
        ((requested(size=10), failed("create")), 0, 10),
        ((*CREATED, EXTENDING, failed("extend")), 10, 30),
        ((*CREATED, DELETING, failed("delete")), 10, 10),
        (CREATED, 10, 10),
    ],
)
def test_what_a_retry_takes_again(events: Any, taken: int, after_retry: int) -> None:
    room = share_room(state_after(*events))

    assert (room.host, room.taken, room.after_retry) == ("local", taken, after_retry)
