"""Holds on the snapshots of one share, by the shares that are being created from them.

A snapshot that is held is not deleted or unmanaged on the backend: such a request waits for the release.
"""

from __future__ import annotations

from typing import Annotated, assert_never

from pydantic import Field

from share_actors.events.decider import Command, Event, Rejected
from share_actors.events.tombstones import MAX_KEPT
from share_actors.values import Frozen
from share_actors.values.checks.fields import Id

Number = Annotated[int, Field(ge=0)]
"""The fencing number of the attempt that sends the request: later attempts have greater ones."""


# -- messages ------------------------------------------------------------------------------------
class HoldSnapshot(Command, topic="snapshot.hold"):
    """Hold the snapshot for *share_id*, which is being created from it."""

    snapshot_id: Id
    share_id: Id
    number: Number


class ReleaseSnapshot(Command, topic="snapshot.release"):
    """End the hold of *share_id*, and refuse requests of its earlier attempts that arrive late."""

    snapshot_id: Id
    share_id: Id
    number: Number


class SnapshotHeld(Event, topic="snapshot.held"):
    """The snapshot is held for *share_id*, which is being created from it."""

    snapshot_id: str
    share_id: str
    number: int


class SnapshotReleased(Event, topic="snapshot.released"):
    """Share *share_id* needs the snapshot no more."""

    snapshot_id: str
    share_id: str
    number: int


HoldCommand = HoldSnapshot | ReleaseSnapshot
HoldEvent = SnapshotHeld | SnapshotReleased


# -- state ---------------------------------------------------------------------------------------
class Hold(Frozen):
    """The hold of one share on a snapshot; the number of the last request for it."""

    snapshot_id: str
    number: int


class Holds(Frozen):
    """The holds on the snapshots of one share, by the ids of the shares that have them.

    `ended`: the number of the last release by share; requests for a hold with a number up to it are late.
    The oldest are dropped, as with tombstones.
    """

    by_share: dict[str, Hold] = Field(default_factory=dict)
    ended: dict[str, int] = Field(default_factory=dict)

    @property
    def snapshots(self) -> frozenset[str]:
        """The ids of the snapshots that are held."""
        return frozenset(hold.snapshot_id for hold in self.by_share.values())

    def holders(self, snapshot_id: str) -> tuple[str, ...]:
        """Return the ids of the shares that hold a snapshot."""
        holds = self.by_share.items()
        return tuple(share for share, hold in holds if hold.snapshot_id == snapshot_id)


initial = Holds()


def check_not_late(command: HoldSnapshot, holds: Holds) -> None:
    """Raise `Rejected` if the share has released its snapshot since it sent *command*."""
    if command.number <= holds.ended.get(command.share_id, 0):
        raise Rejected(f"share {command.share_id} has released snapshot {command.snapshot_id}")


def release(command: ReleaseSnapshot, holds: Holds) -> list[HoldEvent]:
    """Return the release, unless it is recorded, or a later attempt has asked for the hold again."""
    hold = holds.by_share.get(command.share_id)
    last = holds.ended.get(command.share_id, 0) if hold is None else hold.number
    return [] if command.number <= last else [SnapshotReleased(**dict(command))]


def evolve(holds: Holds, event: HoldEvent) -> Holds:
    """Return the holds after *event*."""
    share_id = event.share_id
    match event:
        case SnapshotHeld(snapshot_id=snapshot_id, number=number):
            hold = Hold(snapshot_id=snapshot_id, number=number)
            return holds.replace(by_share={**holds.by_share, share_id: hold})
        case SnapshotReleased(number=number):
            by_share = {share: h for share, h in holds.by_share.items() if share != share_id}
            others = {share: n for share, n in holds.ended.items() if share != share_id}
            latest = dict(list(others.items())[-(MAX_KEPT - 1) :])
            return holds.replace(by_share=by_share, ended={**latest, share_id: number})
        case _:
            assert_never(event)


def sentence(event: HoldEvent, who: str) -> str:
    """*event* in words; no user requests it."""
    match event:
        case SnapshotHeld(snapshot_id=i, share_id=share_id):
            return f"snapshot {i} is held: share {share_id} is created from it"
        case SnapshotReleased(snapshot_id=i, share_id=share_id):
            return f"share {share_id} has released snapshot {i}"
        case _:
            assert_never(event)
