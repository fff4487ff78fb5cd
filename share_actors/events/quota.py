"""The quota of a project: the limits that administrators set, one stream a project; it has no effects.

What is used is not here: it is what the streams of the project's shares, snapshots and share networks come
to (`events/catalog/uses.py`), so that it cannot differ from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, assert_never

from pydantic import AfterValidator, Field, StrictInt, model_validator

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.values import MAX_SIZE_GIB, Quota, QuotaLimits, QuotaName
from share_actors.values.checks.fields import Id, Name

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
KIND, STATE_VERSION = "quota", 1
DEFAULT = "default"
"""The id of the quota with the limits of projects that have none of their own."""
NETWORKS: QuotaName = "share_networks"
_Limit = Annotated[StrictInt, Field(ge=-1, le=MAX_SIZE_GIB)]


def quota_id(project_id: str) -> str:
    """The id of the quota of a project: a digest, since a project's id may have any characters."""
    digest = hashlib.blake2b(project_id.encode(errors="surrogatepass"), digest_size=16)
    return digest.hexdigest()


def address_of(project_id: str | None) -> str:
    """The address of the quota of a project; None: of that with the default limits."""
    return f"{KIND}:{DEFAULT if project_id is None else quota_id(project_id)}"


# -- commands ------------------------------------------------------------------------------------
def _not_empty(limits: dict[QuotaName, int]) -> dict[QuotaName, int]:
    if not limits:
        raise ValueError("is empty: name at least one quota")
    return limits


class _OfOne(Command):
    """A command about the limits of a project, or of one user or one share type in it."""

    user_id: Name | None = None
    share_type: Id | None = None

    @model_validator(mode="after")
    def _check_one(self) -> _OfOne:
        if self.user_id is not None and self.share_type is not None:
            raise ValueError("share_type: a limit is for a user or for a share type, not for both")
        return self


class SetQuota(_OfOne, topic="quota.set"):
    """Manila's `quota-update`: set these limits, and leave the others as they are; -1 is unlimited."""

    quota_id: Id
    project_id: Name
    """Empty for the default limits."""
    limits: Annotated[dict[QuotaName, _Limit], AfterValidator(_not_empty)]
    at: datetime = EPOCH

    @model_validator(mode="after")
    def _check_scope(self) -> SetQuota:
        if self.share_type is not None and NETWORKS in self.limits:
            raise ValueError(
                "limits: share networks have no share type; limit them by project or user"
            )
        is_part = self.user_id is not None or self.share_type is not None
        if self.quota_id == DEFAULT and (is_part or self.project_id):
            raise ValueError("project_id: the default limits are for projects as a whole")
        return self


class UnsetQuota(_OfOne, topic="quota.unset"):
    """Manila's `quota-delete`: for those *names*, or for all if it is empty, the default holds again."""

    names: tuple[QuotaName, ...] = ()
    at: datetime = EPOCH


# -- events --------------------------------------------------------------------------------------
class QuotaChanged(Event, topic="quota.changed"):
    """*limits* are all that is set now for the project, or for one user or share type in it."""

    quota_id: str
    project_id: str
    user_id: str | None
    share_type: str | None
    limits: dict[str, int]
    at: datetime


QuotaCommand = SetQuota | UnsetQuota
QuotaEvent = QuotaChanged
initial = Quota()


# -- decisions -----------------------------------------------------------------------------------
def decide(command: QuotaCommand, state: Quota) -> list[QuotaEvent]:
    """Return the events of *command*; raises `Rejected` if nothing is set that could be unset."""
    now = dict(state.of(command.user_id, command.share_type))
    match command:
        case SetQuota():
            return _set(command, now, state)
        case UnsetQuota():
            return [_unset(command, now, state)]
        case _:
            assert_never(command)


def _set(command: SetQuota, now: Mapping[str, int], state: Quota) -> list[QuotaEvent]:
    if state.id and (state.id, state.project_id) != (command.quota_id, command.project_id):
        raise Rejected("this is the quota of another project")
    fields = {name: value for name, value in command if name != "limits"}
    limits: dict[str, int] = dict(now)
    limits.update({str(name): limit for name, limit in command.limits.items()})
    return [] if limits == now else [QuotaChanged(**fields, limits=limits)]


def _unset(command: UnsetQuota, now: Mapping[str, int], state: Quota) -> QuotaChanged:
    names: tuple[str, ...] = command.names or tuple(now)
    if not now or (missing := [name for name in names if name not in now]):
        what = listed(missing) if now else "such limit"
        raise Rejected(f"no {what} is set: the default holds already")
    return QuotaChanged(
        quota_id=state.id,
        project_id=state.project_id,
        user_id=command.user_id,
        share_type=command.share_type,
        limits={name: limit for name, limit in now.items() if name not in names},
        at=command.at,
    )


def evolve(state: Quota, event: QuotaEvent) -> Quota:
    """Return the state after *event*."""
    key = (event.user_id, event.share_type)
    others = tuple(each for each in state.limits if (each.user_id, each.share_type) != key)
    changed = QuotaLimits(user_id=event.user_id, share_type=event.share_type, limits=event.limits)
    limits = (*others, changed) if event.limits else others
    return state.replace(
        id=event.quota_id,
        project_id=event.project_id,
        limits=limits,
        status="active" if limits else "deleted",
        created_at=state.created_at or event.at,
    )


def owned(state: Quota) -> Quota:
    """Return what says whose the quota is."""
    return state


def view(state: Quota) -> Quota:
    """Return the quota as clients see it."""
    return state


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: QuotaEvent, who: str) -> str:
    """Describe *event*; *who* requested it."""
    of = f"project {event.project_id}" if event.project_id else "projects without their own"
    if event.quota_id == DEFAULT:
        of = "all projects without limits of their own"
    if event.user_id is not None:
        of = f"user {event.user_id} in {of}"
    if event.share_type is not None:
        of = f"share type {event.share_type} in {of}"
    if not event.limits:
        return f"{who} removed the limits of {of}"
    limits = listed(f"{name} = {_shown(limit)}" for name, limit in event.limits.items())
    return f"{who} set the limits of {of} to {limits}"


def _shown(limit: int) -> str:
    return "unlimited" if limit < 0 else str(limit)
