"""A share type: created, changed and deleted; it has no effects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, assert_never

from pydantic import AfterValidator, Field, field_validator

from share_actors.events.decider import EPOCH, Command, Event, Rejected
from share_actors.events.no_effects import joins, not_before, part, pending, under_way
from share_actors.events.phrases import listed
from share_actors.scheduling.extra_specs import check_limits, check_specs
from share_actors.values import ShareType, SpecValue
from share_actors.values.checks.fields import Description, Id, Project
from share_actors.values.checks.limits import SPEC_KEY, SPEC_VALUE
from share_actors.values.checks.text import check_part

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
KIND = "share_type"
STATE_VERSION = 1


def _checked(specs: dict[str, str]) -> dict[str, str]:
    for key, value in specs.items():
        check_part("extra_specs", key, SPEC_KEY, subject="a key ")
        check_part(f"extra_specs.{key}", value, SPEC_VALUE)
    check_specs(specs)
    return specs


# -- commands ------------------------------------------------------------------------------------
class CreateShareType(Command, topic="type.create"):
    """Create a type (Manila's `share_type_create`); driver_handles_share_servers is required, as there."""

    name: Id
    description: Description | None = None
    extra_specs: Annotated[dict[str, SpecValue], AfterValidator(_checked)]
    is_public: bool = True
    projects: tuple[str, ...] = ()
    at: datetime = EPOCH

    @field_validator("extra_specs")
    @classmethod
    def _require_mode(cls, specs: dict[str, str]) -> dict[str, str]:
        if "driver_handles_share_servers" not in specs:
            raise ValueError("driver_handles_share_servers is required")
        return specs


class ChangeShareType(Command, topic="type.change"):
    """Set extra specs (None removes one), and who may use the type (None: no change)."""

    extra_specs: dict[str, SpecValue | None] = Field(default_factory=dict)
    is_public: bool | None = None
    projects: tuple[Project, ...] | None = None

    @field_validator("extra_specs")
    @classmethod
    def _check_changes(cls, specs: dict[str, str | None]) -> dict[str, str | None]:
        _checked({k: v for k, v in specs.items() if v is not None})
        if specs.get("driver_handles_share_servers", "") is None:
            raise ValueError("driver_handles_share_servers is required")
        return specs


class DeleteShareType(Command, topic="type.delete"):
    """Delete the type; its shares stay."""


# -- events --------------------------------------------------------------------------------------
class ShareTypeCreated(Event, topic="type.created"):
    """A share type was created, possibly after an earlier one of its name was deleted."""

    name: str
    description: str | None
    extra_specs: dict[str, str]
    is_public: bool
    projects: tuple[str, ...]
    at: datetime


class ShareTypeChanged(Event, topic="type.changed"):
    """The share type was changed; these are its complete new values."""

    extra_specs: dict[str, str]
    is_public: bool
    projects: tuple[str, ...]


class ShareTypeDeleted(Event, topic="type.deleted"):
    """The share type was deleted."""


TypeCommand = CreateShareType | ChangeShareType | DeleteShareType
TypeEvent = ShareTypeCreated | ShareTypeChanged | ShareTypeDeleted
initial = ShareType()


def decide(command: TypeCommand, state: ShareType) -> list[TypeEvent]:
    """Return the events of *command*; raises `Rejected` if it is not possible in *state*."""
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
    fields = dict(command)
    if state.status != "active":
        return [ShareTypeCreated(**fields)]
    if all(fields[k] == state[k] for k in ("extra_specs", "is_public", "projects")):
        return []
    raise Rejected(f"share type {command.name} exists already with other properties")


def _change(command: ChangeShareType, state: ShareType) -> list[TypeEvent]:
    merged = {**state.extra_specs, **command.extra_specs}
    specs = {k: v for k, v in merged.items() if v is not None}
    try:
        check_limits(specs)
    except ValueError as error:
        raise Rejected(str(error)) from None
    changed = ShareTypeChanged(
        extra_specs=specs,
        is_public=state.is_public if command.is_public is None else command.is_public,
        projects=state.projects if command.projects is None else command.projects,
    )
    return [] if state.replace(**dict(changed)) == state else [changed]


def evolve(state: ShareType, event: TypeEvent) -> ShareType:
    """Return the state after *event*."""
    match event:
        case ShareTypeCreated():
            fields = dict(event)
            renamed = {"id": fields.pop("name"), "created_at": fields.pop("at")}
            return ShareType(**fields, **renamed, status="active")
        case ShareTypeChanged():
            return state.replace(**dict(event))
        case ShareTypeDeleted():
            return state.replace(status="deleted")
        case _:
            assert_never(event)


def owned(state: ShareType) -> ShareType:
    """Return what says whose the type is."""
    return state


def view(state: ShareType) -> ShareType:
    """Return the type as clients see it."""
    return state


# -- sentences ---------------------------------------------------------------------------------
def sentence(event: TypeEvent, who: str) -> str:
    """Describe *event*; *who* requested it."""
    match event:
        case ShareTypeCreated(name=name, extra_specs=specs):
            return f"{who} created share type {name}: {_specs_text(specs)}"
        case ShareTypeChanged(extra_specs=specs, is_public=public, projects=projects):
            users = "all projects" if public else f"projects {listed(projects)}"
            return f"{who} changed it to {_specs_text(specs)}, for {users}"
        case ShareTypeDeleted():
            return f"{who} deleted it"
        case _:
            assert_never(event)


def _specs_text(specs: Mapping[str, str]) -> str:
    return listed(f"{key} = {value}" for key, value in specs.items())
