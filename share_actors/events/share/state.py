"""The state of a share, and the steps that several parts of its decider take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from share_actors.events.attempts import Attempt
from share_actors.events.decider import Rejected
from share_actors.events.share import access
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot import holds
from share_actors.events.share.snapshot import lifecycle as snapshots
from share_actors.events.share.snapshot.holds import Holds
from share_actors.events.share.snapshot.lifecycle import Snapshots
from share_actors.values import AccessRule, Frozen, Share, ShareServer, ShareStatus, Snapshot
from share_actors.values.secret import OptionValue

Doing = Literal["create", "extend", "shrink", "revert", "delete", "manage", "unmanage", "forget"]


class ShareState(Frozen):
    """The state that a share's events come to; drivers and clients see `share` (see `view`)."""

    share: Share = Share()
    doing: Doing | None = None
    """The pending work; of a share in error, the work that failed."""
    resize_to: int = 0
    """The size in GiB that a resize in progress leads to."""
    cascade: bool = False
    """The share is being deleted, or will be, together with its snapshots."""
    before_deletion: ShareStatus | None = None
    """The status of a softly deleted share before that."""
    source: Snapshot | None = None
    """The snapshot that the share is created from, while it is being created."""
    parent: Share | None = None
    """The share of that snapshot as it was then, without its rules and snapshots."""
    extra_specs: dict[str, str] = Field(default_factory=dict)
    """Those of the share type when the share was requested."""
    source_held: bool = False
    """The source is held by its share until the creation ends."""
    hold: Snapshot | None = None
    """The snapshot that may be held for this share, from the first attempt to hold it until the release."""
    revert_to: Snapshot | None = None
    """The snapshot that the share is being reverted to, as it was when that was requested."""
    driver_options: dict[str, OptionValue] = Field(default_factory=dict)
    """Where the driver finds a share that is being managed."""
    on_server: str | None = None
    """The id of the share server that has the share that is being managed."""
    server: ShareServer | None = None
    """The share server that the share is on, with the details that its driver returned."""
    destroyed: bool = False
    """The backend deleted the share; it is still attached to its share server."""
    withdrawn: bool = False
    """The driver released the share, which is being unmanaged; it is still attached to its share server."""
    ensure: bool = False
    """The share is to be exported again with its backend's present settings."""
    former_rules: tuple[AccessRule, ...] = ()
    """The rules that the backend of a forgotten share may still have; managed again, it loses them."""
    room: int = 0
    """The GiB of its pool that it takes, from the decision on; see `room.py`."""
    found: int = 0
    """GiB that no command took from the pool: of data that was there when the share was managed, less what
    stayed when it was unmanaged."""
    rules: Rules = access.initial
    snapshots: Snapshots = snapshots.initial
    holds: Holds = holds.initial
    attempt: Attempt | None = None


initial = ShareState()


def owned(state: ShareState) -> Share:
    """The share as far as it says whose it is, without its rules and snapshots."""
    return state.share


def view(state: ShareState) -> Share:
    """The share with its rules and snapshots, as clients see it."""
    rules = tuple(state.rules.rules.values())
    return state.share.replace(access_rules=rules, snapshots=tuple(state.snapshots.held.values()))


def driver_view(state: ShareState) -> Share:
    """The share as drivers get it: with the extra specs of its type."""
    return view(state).replace(extra_specs=state.extra_specs)


def with_share(snapshot: Snapshot, state: ShareState) -> Snapshot:
    """*snapshot* as drivers get it: with the share that it is of."""
    if snapshot.share_id == state.share.id:
        return snapshot.replace(share=state.share.replace(extra_specs=state.extra_specs))
    return snapshot.replace(share=state.parent)


def part(state: ShareState, works: Iterable[str]) -> Share | None:
    """The share with only the rules and snapshots that *works* concern; None if a work concerns the share.

    So the reply about one rule does not grow with the number of the share's other rules.
    """
    subjects = [work.split("/") for work in works]
    if not subjects or any(len(subject) < 3 for subject in subjects):
        return None
    rules = [state.rules.rules.get(i) for kind, i, *_ in subjects if kind == "rule"]
    held = [state.snapshots.held.get(i) for kind, i, *_ in subjects if kind == "snapshot"]
    return state.share.replace(
        access_rules=tuple(filter(None, rules)), snapshots=tuple(filter(None, held))
    )


def require_status(state: ShareState, *statuses: str) -> None:
    """Raise `Rejected` unless the share has one of *statuses*."""
    if state.share.status not in statuses:
        raise Rejected(f"the share is {state.share.status}; it must be {' or '.join(statuses)}")


def resize_failed(state: ShareState) -> bool:
    """Whether a failed resize put the share in error: it is intact, and its access rules may change."""
    return state.share.status == "error" and state.doing in ("extend", "shrink")


def work_failed(state: ShareState) -> bool:
    """Whether the share is in use although its last work failed: a resize or a revert."""
    return resize_failed(state) or state.share.status == "reverting_error"


def settle(
    state: ShareState,
    work: Doing,
    reason: str | None = None,
    *,
    room: int | None = None,
    **of_share: Any,
) -> ShareState:
    """*work* has ended: the share is available, unless another work has become pending since.

    *of_share* are the fields of the share that it changed, and *room* what the share takes now.
    """
    room = state.room if room is None else room
    if state.doing != work:
        share = state.share.replace(**of_share) if of_share else state.share
        return state.replace(share=share, room=room, attempt=None)
    share = state.share.replace(status="available", status_reason=reason, **of_share)
    return state.replace(
        share=share, doing=None, resize_to=0, source=None, parent=None, room=room, attempt=None
    )
