"""A snapshot policy: created, changed, attached to shares, and the record of its runs; it has no effects.

The manager takes the snapshots (`actors/manager/snapshot_policies.py`): a run is recorded here once all its
requests are recorded at their shares.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, assert_never

from pydantic import AfterValidator, Field

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.values import PolicyRun, SnapshotPolicy, SnapshotSchedule
from share_actors.values.checks.fields import Id, Name
from share_actors.values.checks.text import PartError

__all__ = [
    "KIND",
    "STATE_VERSION",
    "decide",
    "evolve",
    "initial",
    "joins",
    "not_before",
    "owned",
    "part",
    "pending",
    "under_way",
    "view",
]
KIND = "snapshot_policy"
STATE_VERSION = 1
MAX_SHARES = 2000
"""To how many shares one policy may be attached."""
MAX_SCHEDULES = 8
MAX_FAILURES = 50
"""Of how many shares a run has the reason why they got no snapshot."""


def _distinct(schedules: tuple[SnapshotSchedule, ...]) -> tuple[SnapshotSchedule, ...]:
    periods = [schedule.every_s for schedule in schedules]
    twice = next((p for p in periods if periods.count(p) > 1), None)
    if twice is not None:
        raise PartError("is the period of two schedules", part="every_s", value=twice)
    return tuple(sorted(schedules, key=lambda schedule: schedule.every_s))


Schedules = Annotated[
    tuple[SnapshotSchedule, ...],
    Field(min_length=1, max_length=MAX_SCHEDULES),
    AfterValidator(_distinct),
]
ShareIds = Annotated[tuple[Id, ...], Field(min_length=1, max_length=MAX_SHARES)]


# -- commands ------------------------------------------------------------------------------------
class CreateSnapshotPolicy(Command, topic="policy.create"):
    """Create a policy with these schedules, one for each period."""

    policy_id: Id
    name: Name
    schedules: Schedules
    project_id: str
    user_id: str
    at: datetime = EPOCH

    def owning_project(self) -> str:
        """Return the project of the new policy."""
        return self.project_id


class ChangeSnapshotPolicy(Command, topic="policy.change"):
    """Replace the schedules; snapshots of a schedule that is left out are not deleted any more."""

    schedules: Schedules
    at: datetime = EPOCH


class AttachShares(Command, topic="policy.attach"):
    """Take snapshots of these shares as well."""

    shares: ShareIds


class DetachShares(Command, topic="policy.detach"):
    """Take no more snapshots of these shares; the present ones stay."""

    shares: ShareIds


class DeleteSnapshotPolicy(Command, topic="policy.delete"):
    """Delete the policy; the snapshots stay."""


class RecordRun(Command, topic="policy.record_run"):
    """The snapshots of a time of a schedule are requested; earlier times that passed are *missed*."""

    run: PolicyRun


# -- events --------------------------------------------------------------------------------------
class PolicyCreated(Event, topic="policy.created"):
    """A snapshot policy was created."""

    policy_id: str
    name: str
    schedules: tuple[SnapshotSchedule, ...]
    project_id: str
    user_id: str
    at: datetime


class PolicyChanged(Event, topic="policy.changed"):
    """The policy has these schedules now."""

    schedules: tuple[SnapshotSchedule, ...]
    at: datetime


class SharesAttached(Event, topic="policy.shares_attached"):
    """Snapshots are taken of these shares as well."""

    shares: tuple[str, ...]


class SharesDetached(Event, topic="policy.shares_detached"):
    """No more snapshots are taken of these shares."""

    shares: tuple[str, ...]


class PolicyDeleted(Event, topic="policy.deleted"):
    """The policy was deleted; its snapshots stay."""


class PolicyRan(Event, topic="policy.ran"):
    """The snapshots for a time of a schedule were requested."""

    run: PolicyRun


PolicyCommand = (
    CreateSnapshotPolicy
    | ChangeSnapshotPolicy
    | AttachShares
    | DetachShares
    | DeleteSnapshotPolicy
    | RecordRun
)
PolicyEvent = (
    PolicyCreated | PolicyChanged | SharesAttached | SharesDetached | PolicyDeleted | PolicyRan
)
initial = SnapshotPolicy()


# -- decisions -----------------------------------------------------------------------------------
def decide(command: PolicyCommand, state: SnapshotPolicy) -> list[PolicyEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible in *state*."""
    if isinstance(command, CreateSnapshotPolicy):
        return _create(command, state)
    if state.status != "active":
        if isinstance(command, DeleteSnapshotPolicy) and state.status == "deleted":
            return []
        raise Rejected(f"the snapshot policy is {state.status}")
    match command:
        case ChangeSnapshotPolicy(schedules=schedules, at=at):
            same = schedules == state.schedules
            return [] if same else [PolicyChanged(schedules=schedules, at=at)]
        case AttachShares(shares=shares):
            return _attach(shares, state)
        case DetachShares(shares=shares):
            gone = tuple(dict.fromkeys(i for i in shares if i in state.shares))
            return [SharesDetached(shares=gone)] if gone else []
        case DeleteSnapshotPolicy():
            return [PolicyDeleted()]
        case RecordRun(run=run):
            return _record(run, state)
        case _:
            assert_never(command)


def _create(command: CreateSnapshotPolicy, state: SnapshotPolicy) -> list[PolicyEvent]:
    if state.status == "absent":
        return [PolicyCreated(**command.__dict__)]
    same = all(
        getattr(command, part) == getattr(state, part)
        for part in ("name", "schedules", "project_id")
    )
    if same and state.status == "active":
        return []
    raise Rejected(f"snapshot policy {command.policy_id} exists already and is {state.status}")


def _attach(shares: tuple[str, ...], state: SnapshotPolicy) -> list[PolicyEvent]:
    new = tuple(dict.fromkeys(i for i in shares if i not in state.shares))
    if len(state.shares) + len(new) > MAX_SHARES:
        raise Rejected(
            f"a snapshot policy has at most {MAX_SHARES} shares; it has {len(state.shares)}"
        )
    return [SharesAttached(shares=new)] if new else []


def _record(run: PolicyRun, state: SnapshotPolicy) -> list[PolicyEvent]:
    """A run that another manager has recorded, or of a schedule that was removed, is no event."""
    done = state.since.get(str(run.every_s))
    return [] if done is None or run.at <= done else [PolicyRan(run=run)]


def evolve(state: SnapshotPolicy, event: PolicyEvent) -> SnapshotPolicy:
    """Return the state after *event*."""
    match event:
        case PolicyCreated(policy_id=i, at=at, schedules=schedules):
            fields: dict[str, Any] = dict(event.__dict__)
            del fields["policy_id"], fields["at"]
            return SnapshotPolicy(
                id=i, created_at=at, status="active", since=_since(schedules, {}, at), **fields
            )
        case PolicyChanged(schedules=schedules, at=at):
            kept = {schedule.every_s for schedule in schedules}
            runs = tuple(run for run in state.runs if run.every_s in kept)
            since = _since(schedules, state.since, at)
            return state.replace(schedules=schedules, runs=runs, since=since)
        case SharesAttached(shares=shares):
            return state.replace(shares=(*state.shares, *shares))
        case SharesDetached(shares=shares):
            gone = frozenset(shares)
            return state.replace(shares=tuple(i for i in state.shares if i not in gone))
        case PolicyDeleted():
            return state.replace(status="deleted", shares=())
        case PolicyRan(run=run):
            others = (earlier for earlier in state.runs if earlier.every_s != run.every_s)
            runs = tuple(sorted((*others, run), key=lambda run: run.every_s))
            since = {**state.since, str(run.every_s): run.at}
            return state.replace(runs=runs, since=since, missed=state.missed + run.missed)
        case _:
            assert_never(event)


def _since(
    schedules: tuple[SnapshotSchedule, ...], before: dict[str, datetime], at: datetime
) -> dict[str, datetime]:
    """Up to when each schedule is done: a new one begins with its first time after *at*."""
    return {str(s.every_s): before.get(str(s.every_s), at) for s in schedules}


def owned(state: SnapshotPolicy) -> SnapshotPolicy:
    """Return what says whose the policy is."""
    return state


def view(state: SnapshotPolicy) -> SnapshotPolicy:
    """Return the policy as clients see it."""
    return state


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: PolicyEvent, who: str) -> str:
    """Describe *event*; *who* requested it."""
    match event:
        case PolicyCreated(name=name, schedules=schedules):
            return f"{who} created snapshot policy {name!r}: {_described(schedules)}"
        case PolicyChanged(schedules=schedules):
            return f"{who} changed its schedules: {_described(schedules)}"
        case SharesAttached(shares=shares):
            return f"{who} attached it to {_shares(shares)}"
        case SharesDetached(shares=shares):
            return f"{who} detached it from {_shares(shares)}"
        case PolicyDeleted():
            return f"{who} deleted it; its snapshots stay"
        case PolicyRan(run=run):
            return _ran(run)
        case _:
            assert_never(event)


def _shares(ids: tuple[str, ...]) -> str:
    return f"share{'' if len(ids) == 1 else 's'} {listed(ids)}"


def _described(schedules: tuple[SnapshotSchedule, ...]) -> str:
    return "; ".join(map(str, schedules))


def _ran(run: PolicyRun) -> str:
    failed = "; ".join(f"share {i}: {reason}" for i, reason in run.failed.items())
    parts = [
        f"snapshots of {run.requested} share{'' if run.requested == 1 else 's'} were requested for"
        f" {run.at:%Y-%m-%d %H:%M} UTC",
        f"{run.missed} earlier times were missed" if run.missed else "",
        f"without a snapshot: {failed}" if failed else "",
    ]
    return "; ".join(filter(None, parts))
