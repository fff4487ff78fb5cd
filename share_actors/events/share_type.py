"""A share type: a name for what shares can be asked for. Created, changed, deleted; it owes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, assert_never

from pydantic import AfterValidator, Field, field_validator

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.fields import printable
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.scheduling.extra_specs import check_requirement
from share_actors.values import ShareType, SpecValue, parse_bool

__all__ = [
    "KIND", "STATE_VERSION",
    "decide", "evolve", "initial", "joins", "not_before", "part", "pending", "under_way", "view",
]  # fmt: skip
KIND = "share_type"
STATE_VERSION = 1
YES_OR_NO = (
    "driver_handles_share_servers", "snapshot_support", "create_share_from_snapshot_support",
)  # fmt: skip


def _specs(specs: dict[str, str]) -> dict[str, str]:
    for key, value in specs.items():
        if key in YES_OR_NO and parse_bool(value) is None:
            raise ValueError(f"{key}: {value!r} is not true or false")
        check_requirement(key, value)
    return specs


# -- commands ------------------------------------------------------------------------------------
class CreateShareType(Command):
    """Manila's `share_type_create`; as there, whether drivers handle share servers must be said."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    description: Annotated[str, Field(max_length=255), AfterValidator(printable)] | None = None
    extra_specs: Annotated[dict[str, SpecValue], AfterValidator(_specs)]
    is_public: bool = True
    projects: tuple[str, ...] = ()
    at: datetime = EPOCH

    @field_validator("extra_specs")
    @classmethod
    def _says_mode(cls, specs: dict[str, str]) -> dict[str, str]:
        if "driver_handles_share_servers" not in specs:
            raise ValueError("driver_handles_share_servers is required")
        return specs


class ChangeShareType(Command):
    """Set specs (None takes one away), and who may use it; None leaves it as it is."""

    extra_specs: dict[str, SpecValue | None] = {}
    is_public: bool | None = None
    projects: tuple[str, ...] | None = None

    @field_validator("extra_specs")
    @classmethod
    def _makes_sense(cls, specs: dict[str, str | None]) -> dict[str, str | None]:
        _specs({k: v for k, v in specs.items() if v is not None})
        if specs.get("driver_handles_share_servers", "") is None:
            raise ValueError("driver_handles_share_servers is required")
        return specs


class DeleteShareType(Command):
    """Shares of it stay; no more are made."""


# -- events --------------------------------------------------------------------------------------
class ShareTypeCreated(Event):
    name: str
    description: str | None
    extra_specs: dict[str, str]
    is_public: bool
    projects: tuple[str, ...]
    at: datetime


class ShareTypeChanged(Event):
    extra_specs: dict[str, str]
    is_public: bool
    projects: tuple[str, ...]


class ShareTypeDeleted(Event):
    pass


TypeCommand = CreateShareType | ChangeShareType | DeleteShareType
TypeEvent = ShareTypeCreated | ShareTypeChanged | ShareTypeDeleted
initial = ShareType()


def decide(command: TypeCommand, state: ShareType) -> list[TypeEvent]:
    """The events that *command* comes to; raises `Rejected` when it makes no sense now."""
    match command:
        case CreateShareType():
            return _create(command, state)
        case _ if state.status != "active":
            raise Rejected(f"the share type is {state.status}")
        case ChangeShareType():
            return _change(command, state)
        case DeleteShareType():
            return [ShareTypeDeleted()]
        case _:
            assert_never(command)


def _create(command: CreateShareType, state: ShareType) -> list[TypeEvent]:
    asked = dict(command)
    if state.status != "active":
        return [ShareTypeCreated(**asked)]
    if all(asked[k] == state[k] for k in ("extra_specs", "is_public", "projects")):
        return []
    raise Rejected(f"share type {command.name} exists already, and is another one")


def _change(command: ChangeShareType, state: ShareType) -> list[TypeEvent]:
    specs = {**state.extra_specs, **command.extra_specs}
    changed = ShareTypeChanged(
        extra_specs={k: v for k, v in specs.items() if v is not None},
        is_public=state.is_public if command.is_public is None else command.is_public,
        projects=state.projects if command.projects is None else command.projects,
    )
    return [] if state.replace(**dict(changed)) == state else [changed]


def evolve(state: ShareType, event: TypeEvent) -> ShareType:
    """The state after *event*."""
    match event:
        case ShareTypeCreated():
            asked = dict(event)
            named = {"id": asked.pop("name"), "created_at": asked.pop("at")}
            return ShareType(**asked, **named, status="active")
        case ShareTypeChanged():
            return state.replace(**dict(event))
        case ShareTypeDeleted():
            return state.replace(status="deleted")
        case _:
            assert_never(event)


def view(state: ShareType) -> ShareType:
    """The type as clients see it."""
    return state


# -- sentences ---------------------------------------------------------------------------------
def sentence(event: TypeEvent, who: str) -> str:
    match event:
        case ShareTypeCreated(name=name, extra_specs=specs):
            return f"{who} created share type {name}: {_shown(specs)}"
        case ShareTypeChanged(extra_specs=specs, is_public=public, projects=projects):
            whose = "for everybody" if public else f"for {listed(projects)}"
            return f"{who} changed it, {whose}: {_shown(specs)}"
        case ShareTypeDeleted():
            return f"{who} deleted it"
        case _:
            assert_never(event)


def _shown(specs: Mapping[str, str]) -> str:
    return ", ".join(f"{k} = {v}" for k, v in specs.items()) or "nothing"
