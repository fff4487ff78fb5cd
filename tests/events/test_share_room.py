"""The room that a share takes from its pool, through its life."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events.decider import Event
from share_actors.events.share import evolve, initial
from share_actors.events.share.backend_change import ShareBackendChanged
from share_actors.events.share.failure import RetryRequested, ShareErrored
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
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
from share_actors.events.share.room import Room, change, room_of, share_room
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
    ((*CREATED, *UNMANAGED, *MANAGED), Room(7, 0, 0)),
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


def changes(*events: Any) -> dict[str, Room]:
    """The room on each host after *events*, as the catalog adds it up."""
    rooms: dict[str, Room] = {}
    state = initial
    for event in events:
        after = evolve(state, event)
        for host, room in change(state, after).items():
            rooms[host] = rooms.get(host, Room()).plus(room)
        state = after
    return {host: room for host, room in rooms.items() if any(room)}


def test_what_an_unmanaged_share_left_on_its_backend_stays_there_wherever_it_is_managed_again() -> (
    None
):
    elsewhere = MANAGED[0].replace(spec=requested(host="nas").spec)
    rooms = changes(*CREATED, *UNMANAGED, elsewhere, MANAGED[1])

    assert rooms["local"] == Room(0, 10, 10)
    assert rooms["nas#p"] == Room(7, 0, 0)


def test_the_room_of_a_share_moves_with_the_name_of_its_backend() -> None:
    rooms = changes(*CREATED, ShareBackendChanged(old="local", host="new"))

    assert rooms == {"local": Room(returned=10, unsettled=10), "new": Room(10, 10, 10)}


def test_what_was_given_back_is_added_up() -> None:
    twice = (SHRINKING, resized("shrink", 4))
    rooms = changes(*CREATED, *twice, EXTENDING, resized("extend", 30), DELETING, DELETED)

    assert rooms == {"local": Room(returned=36, unsettled=36)}


def test_a_forgotten_share_takes_no_room_and_keeps_what_it_consumed() -> None:
    forgotten = (ShareForgetRequested(reason="gone"), ShareForgotten(reason="gone"))

    assert changes(*CREATED, *forgotten) == {"local": Room(0, 10, 10)}
