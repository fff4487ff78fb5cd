"""Snapshots of one share: creating -> available -> deleting -> gone, or error with the reason."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import assert_never

from pydantic import Field

from share_actors.events.decider import Missing, Rejected
from share_actors.events.phrases import PARTICIPLES, named
from share_actors.events.share import access
from share_actors.events.share.rules import Rules
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    ConfirmSnapshotManaged,
    ConfirmSnapshotUnmanaged,
    CreateSnapshot,
    DeleteSnapshot,
    DeleteUnknownSnapshot,
    DropSnapshot,
    ForgetSnapshot,
    ManageExistingSnapshot,
    ManageSnapshot,
    SnapshotCommand,
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotEffect,
    SnapshotErrored,
    SnapshotEvent,
    SnapshotForgotten,
    SnapshotManaged,
    SnapshotManageRequested,
    SnapshotRequested,
    SnapshotUnmanaged,
    SnapshotUnmanageRequested,
    TakeSnapshot,
    UnknownSnapshotDeletionRequested,
    UnmanageExistingSnapshot,
    UnmanageSnapshot,
)
from share_actors.values import Frozen, Snapshot, SnapshotDoing, SnapshotStatus
from share_actors.values.secret import OptionValue


class Snapshots(Frozen):
    """All snapshots by id (`held`), and the ids of those that exist on the backend (`taken`)."""

    held: dict[str, Snapshot] = Field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    options: dict[str, dict[str, OptionValue]] = Field(default_factory=dict)
    """What those that are being managed are to be found by, for their driver."""
    rules: dict[str, Rules] = Field(default_factory=dict)
    """The access rules of those that ever had any; `snapshot_access` decides about them."""

    def change(self, snapshot_id: str, status: SnapshotStatus, **more: object) -> Snapshots:
        """Return the snapshots with another status, and other fields, of one."""
        snapshot = self.held[snapshot_id].replace(status=status, **more)
        return self.replace(held={**self.held, snapshot_id: snapshot})

    def without(self, snapshot_id: str) -> Snapshots:
        """Return the snapshots without one."""
        held = {i: s for i, s in self.held.items() if i != snapshot_id}
        options = {i: o for i, o in self.options.items() if i != snapshot_id}
        rules = {i: r for i, r in self.rules.items() if i != snapshot_id}
        taken = self.taken - {snapshot_id}
        return self.replace(held=held, taken=taken, options=options, rules=rules)

    def with_rules(self, snapshot_id: str, rules: Rules) -> Snapshots:
        """Return the snapshots with the access rules of one."""
        snapshot = self.held[snapshot_id].replace(access_rules=tuple(rules.rules.values()))
        return self.replace(
            held={**self.held, snapshot_id: snapshot}, rules={**self.rules, snapshot_id: rules}
        )


initial = Snapshots()


def decide(command: SnapshotCommand, state: Snapshots) -> list[SnapshotEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible now."""
    match command:
        case CreateSnapshot(snapshot_id=i, name=name, at=at):
            return _create(i, name, at, state)
        case DeleteSnapshot(snapshot_id=i):
            _require(i, state)
            if state.held[i].status in UNMANAGED:
                raise Rejected(f"snapshot {i} is {state.held[i].status}: it is not managed here")
            done = state.held[i].status == "deleting"
            return [] if done else [SnapshotDeletionRequested(snapshot_id=i)]
        case DeleteUnknownSnapshot():
            return _delete_unknown(command, state)
        case ConfirmSnapshotCreated(snapshot_id=i, provider_location=location):
            _require(i, state)
            return [SnapshotCreated(snapshot_id=i, provider_location=location)]
        case ConfirmSnapshotDeleted(snapshot_id=i):
            _require(i, state)
            return [SnapshotDeleted(snapshot_id=i)]
        case ManageSnapshot():
            return _manage(command, state)
        case UnmanageSnapshot(snapshot_id=i):
            return _unmanage(i, state)
        case ForgetSnapshot(snapshot_id=i, reason=reason):
            _require(i, state)
            return [SnapshotForgotten(snapshot_id=i, reason=reason)]
        case ConfirmSnapshotManaged(snapshot_id=i, size=size, provider_location=location):
            _require(i, state)
            return [SnapshotManaged(snapshot_id=i, size=size, provider_location=location)]
        case ConfirmSnapshotUnmanaged(snapshot_id=i, gone=gone):
            _require(i, state)
            if gone is not None:
                return [SnapshotForgotten(snapshot_id=i, reason=gone)]
            return [SnapshotUnmanaged(snapshot_id=i)]
        case _:
            assert_never(command)


def _require(i: str, state: Snapshots) -> None:
    if i not in state.held:
        raise Missing("snapshot", field="snapshot_id", value=i)


def _create(i: str, name: str | None, at: datetime, state: Snapshots) -> list[SnapshotEvent]:
    held = state.held.get(i)
    if held is None:
        return [SnapshotRequested(snapshot_id=i, name=name, at=at)]
    if held.name == name and held.status in ("creating", "available"):
        return []  # the same request, asked again
    raise Rejected(f"snapshot {i} exists already and is {held.status}")


def _manage(command: ManageSnapshot, state: Snapshots) -> list[SnapshotEvent]:
    i, where = command.snapshot_id, command.provider_location
    held = state.held.get(i)
    if held is None:
        for other in state.held.values():
            if other.provider_location == where:
                raise Rejected(f"what is at {where} is snapshot {other.id} already")
        return [SnapshotManageRequested(**dict(command))]
    if held.name == command.name and held.status in ("manage_starting", "available"):
        return []
    raise Rejected(f"snapshot {i} exists already and is {held.status}")


def _delete_unknown(command: DeleteUnknownSnapshot, state: Snapshots) -> list[SnapshotEvent]:
    for held in state.held.values():
        if held.id == command.snapshot_id and held.status == "deleting":
            return []
        if held.id == command.snapshot_id or held.provider_location == command.location:
            raise Rejected(
                f"the log has what is at {command.location}: it is snapshot {held.id}, {held.status}"
            )
    return [UnknownSnapshotDeletionRequested(**dict(command))]


def _unmanage(i: str, state: Snapshots) -> list[SnapshotEvent]:
    _require(i, state)
    status = state.held[i].status
    if status == "unmanage_starting":
        return []
    if status in ("available", "manage_error", "unmanage_error", "error"):
        return [SnapshotUnmanageRequested(snapshot_id=i)]
    raise Rejected(f"snapshot {i} is {status}; it must be available or in error")


def evolve(state: Snapshots, event: SnapshotEvent) -> Snapshots:
    """Return the snapshots after *event*."""
    match event:
        case SnapshotRequested(snapshot_id=i, name=name, at=at):
            held = Snapshot(id=i, share_id="", name=name, created_at=at, doing="create")
            return state.replace(held={**state.held, i: held})
        case SnapshotCreated(snapshot_id=i, provider_location=location):
            taken = state.replace(taken=state.taken | {i})
            if state.held[i].status == "deleting":
                return taken.change(i, "deleting", provider_location=location)
            return taken.change(i, "available", provider_location=location, reason=None, doing=None)
        case UnknownSnapshotDeletionRequested(snapshot_id=i, location=where, at=at):
            held = Snapshot(id=i, share_id="", created_at=at, provider_location=where)
            unknown = state.replace(held={**state.held, i: held}, taken=state.taken | {i})
            return unknown.change(i, "deleting", doing="delete")
        case SnapshotDeletionRequested(snapshot_id=i):
            return state.change(i, "deleting", reason=None, doing="delete")
        case (
            SnapshotDeleted(snapshot_id=i)
            | SnapshotUnmanaged(snapshot_id=i)
            | SnapshotForgotten(snapshot_id=i)
        ):
            return state.without(i)
        case SnapshotManageRequested() | SnapshotManaged():
            return _managed(state, event)
        case SnapshotUnmanageRequested(snapshot_id=i):
            return state.change(i, "unmanage_starting", reason=None, doing="unmanage")
        case SnapshotErrored(snapshot_id=i, doing=doing, reason=reason):
            if doing == "create" and state.held[i].status == "deleting":
                return state  # the deletion that waits behind the creation goes on
            if i in state.rules:
                state = state.with_rules(i, access.given_up(state.rules[i], reason))
            return state.change(i, _FAILED.get(doing, "error"), reason=reason, doing=doing)
        case SnapshotDeletionRefused(snapshot_id=i, reason=reason):
            if i not in state.taken:  # then it cannot be available again
                return state.change(i, "error", reason=reason, doing="delete")
            return state.change(i, "available", reason=reason, doing=None)
        case _:
            assert_never(event)


def _managed(state: Snapshots, event: SnapshotManageRequested | SnapshotManaged) -> Snapshots:
    i, where = event.snapshot_id, event.provider_location
    if isinstance(event, SnapshotManageRequested):
        held = Snapshot(
            id=i,
            share_id="",
            name=event.name,
            created_at=event.at,
            doing="manage",
            status="manage_starting",
            provider_location=where,
        )
        options = {**state.options, i: event.driver_options}
        return state.replace(held={**state.held, i: held}, options=options)
    options = {k: v for k, v in state.options.items() if k != i}
    taken, known = state.taken | {i}, where or state.held[i].provider_location
    return state.replace(taken=taken, options=options).change(
        i, "available", size=event.size, provider_location=known, reason=None, doing=None
    )


_FAILED: dict[str, SnapshotStatus] = {"manage": "manage_error", "unmanage": "unmanage_error"}
_RESUMED: dict[str | None, SnapshotStatus] = {
    "delete": "deleting",
    "manage": "manage_starting",
    "unmanage": "unmanage_starting",
}
ERRORS = ("error", "manage_error", "unmanage_error")
UNMANAGED = ("manage_starting", "manage_error", "unmanage_starting")


def retried(state: Snapshots) -> Snapshots:
    """Every work that failed on a snapshot is pending again."""
    for i, snapshot in state.held.items():
        if snapshot.status in ERRORS:
            state = state.change(i, _RESUMED.get(snapshot.doing, "creating"), reason=None)
        if i in state.rules:
            state = state.with_rules(i, access.retried(state.rules[i]))
    return state


def in_error(state: Snapshots) -> list[str]:
    """The works that failed."""
    return [f"snapshot/{i}/{s.doing}" for i, s in state.held.items() if s.status in ERRORS]


def pending(state: Snapshots, in_use: Collection[str] = ()) -> SnapshotEffect | None:
    """Return the driver call that the snapshots owe next, if any; those *in_use* are not removed yet."""
    for i, snapshot in state.held.items():
        if snapshot.status == "creating":
            return TakeSnapshot(snapshot_id=i)
        if snapshot.status == "manage_starting":
            return ManageExistingSnapshot(snapshot_id=i, driver_options=state.options.get(i, {}))
        if snapshot.status == "deleting" and i not in in_use:
            return DropSnapshot(snapshot_id=i)
        if snapshot.status == "unmanage_starting" and i not in in_use:
            return UnmanageExistingSnapshot(snapshot_id=i)
    return None


def dropping(state: Snapshots, in_use: Collection[str] = ()) -> DropSnapshot | None:
    """The deletion that is pending although the share is in error, if any; see `pending`."""
    deleting = (i for i, s in state.held.items() if s.status == "deleting" and i not in in_use)
    return next((DropSnapshot(snapshot_id=i) for i in deleting), None)


def removal(state: Snapshots, in_use: Collection[str] = ()) -> DropSnapshot | None:
    """The deletion of the next snapshot, before the share itself is deleted; see `pending`."""
    free = (i for i in state.held if i not in in_use)
    return next((DropSnapshot(snapshot_id=i, cascade=True) for i in free), None)


def failed(snapshot_id: str, doing: str, *, refused: bool, reason: str) -> SnapshotEvent:
    """What it means that the backend could not do to a snapshot what was being done."""
    if doing == "delete" and refused:
        return SnapshotDeletionRefused(snapshot_id=snapshot_id, reason=reason)
    known: tuple[SnapshotDoing, ...] = ("delete", "manage", "unmanage")
    was = next((d for d in known if d == doing), "create")
    return SnapshotErrored(snapshot_id=snapshot_id, doing=was, reason=reason)


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: SnapshotEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    i = event.snapshot_id
    match event:
        case UnknownSnapshotDeletionRequested(location=location):
            return f"{who} asked to delete what only the backend has: {location}, snapshot {i}"
        case SnapshotRequested(name=name):
            return f"{who} asked for {named('snapshot', name, i)}"
        case SnapshotDeletionRequested():
            return f"{who} asked to delete snapshot {i}"
        case SnapshotManageRequested(name=name, provider_location=where):
            return f"{who} asked to manage {where} as {named('snapshot', name, i)}"
        case SnapshotUnmanageRequested():
            return f"{who} asked to unmanage snapshot {i}"
        case SnapshotCreated():
            return f"the backend took snapshot {i}"
        case SnapshotDeleted():
            return f"the backend deleted snapshot {i}"
        case SnapshotErrored(doing=doing, reason=reason):
            return f"snapshot {i} could not be {PARTICIPLES[doing]} and is now in error: {reason}"
        case SnapshotDeletionRefused(reason=reason):
            return f"the backend refused to delete snapshot {i}: {reason}"
        case SnapshotManaged(size=size):
            return f"snapshot {i}, {size} GiB, is managed"
        case SnapshotForgotten(reason=reason):
            return f"{who} had snapshot {i} forgotten, without a driver call: {reason}"
        case SnapshotUnmanaged():
            return f"snapshot {i} is no longer managed; its data is on the backend as before"
        case _:
            assert_never(event)
