"""Creating a share, empty or from a snapshot: absent -> creating -> available."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, assert_never

from pydantic import AfterValidator, Field

from share_actors.events import attempts
from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, Settled
from share_actors.events.fields import Id, Name, printable
from share_actors.events.phrases import exported_at, named, place
from share_actors.events.share.state import ShareState, settle
from share_actors.values import ExportLocation, Placement, Protocol, Share, SizeGiB, Snapshot


# -- messages ------------------------------------------------------------------------------------
class CreateShare(Command, topic="share.create"):
    """`ShareManager.create_share`. *source* is the snapshot to create from, looked up by the sender."""

    share_id: Id
    name: Name | None = None
    description: Annotated[str, Field(max_length=255), AfterValidator(printable)] | None = None
    share_proto: Protocol = "NFS"
    size: SizeGiB
    host: str
    project_id: str
    user_id: str
    metadata: dict[str, str] = {}
    is_public: bool = False
    availability_zone: str | None = None
    share_type: str | None = None
    source: Snapshot | None = None
    share_network_id: Id | None = None
    placement: Placement | None = None
    """Why the scheduler chose *host*; None if the sender named it."""
    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()
    """Scheduler hints: ids of shares to be placed with, and apart from."""
    at: datetime = EPOCH

    def work(self) -> str:
        return "create"


class ConfirmCreated(Command):
    """The backend created the share."""

    export_locations: tuple[ExportLocation, ...]


class ShareCreationRequested(Event, topic="share.creation_requested"):
    """A share is to be created."""

    schema_version: ClassVar[int] = 2

    share_id: str
    name: str | None
    description: str | None
    share_proto: Protocol
    size: int
    host: str
    project_id: str
    user_id: str
    metadata: dict[str, str]
    is_public: bool
    availability_zone: str | None
    share_type: str | None
    source: Snapshot | None
    share_network_id: str | None
    placement: Placement | None
    at: datetime

    def opens(self) -> tuple[str, ...]:
        return ("create",)


class ShareCreated(Event, topic="share.created"):
    """The backend created the share."""

    export_locations: tuple[ExportLocation, ...]

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("create"),)


class Provision(Effect):
    """The driver's `create_share`, or `create_share_from_snapshot` if there is a *source*."""

    source: Snapshot | None

    def key(self) -> str:
        return "create"


CreationCommand = CreateShare | ConfirmCreated
CreationEvent = ShareCreationRequested | ShareCreated


# -- decisions -----------------------------------------------------------------------------------
def decide(command: CreationCommand, state: ShareState) -> list[CreationEvent]:
    """The events that *command* comes to; raises `Rejected` if the share exists and differs."""
    match command:
        case CreateShare():
            return _create(command, state)
        case ConfirmCreated(export_locations=locations):
            attempts.require(state.attempt, "create")
            return [ShareCreated(export_locations=locations)]
        case _:
            assert_never(command)


def _create(command: CreateShare, state: ShareState) -> list[CreationEvent]:
    fields = {**command.__dict__}
    if state.share.status == "absent":
        del fields["same_host"], fields["different_host"]
        return [ShareCreationRequested(**fields)]
    if state.share.status in ("creating", "available", "extending", "shrinking"):
        source_id = None if command.source is None else command.source.id
        same = ["name", "share_proto", "project_id", "size", "share_network_id"]
        same += ["host"] if command.placement is None else []  # else the scheduler chose it
        if source_id == state.share.snapshot_id and all(fields[k] == state.share[k] for k in same):
            return []  # the same request, repeated
    raise Rejected(f"share {command.share_id} exists already and is {state.share.status}")


def evolve(state: ShareState, event: CreationEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareCreationRequested():
            return state.replace(share=_requested(event), doing="create", source=event.source)
        case ShareCreated(export_locations=locations):
            exported = state.share.replace(export_locations=locations)
            return settle(state.replace(share=exported), "create")
        case _:
            assert_never(event)


def _requested(event: ShareCreationRequested) -> Share:
    fields = {**event.__dict__}
    fields["id"] = fields.pop("share_id")
    fields["created_at"] = fields.pop("at")
    fields.pop("placement")  # the event keeps it: the state does not need it
    source = fields.pop("source")
    from_id = None if source is None else source.id
    return Share(**fields, status="creating", snapshot_id=from_id)


def sentence(event: CreationEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareCreationRequested():
            return f"{who} asked for {_description(event)}"
        case ShareCreated(export_locations=locations):
            return f"the backend created it; {exported_at(locations)}"
        case _:
            assert_never(event)


def _description(event: ShareCreationRequested) -> str:
    source = "" if event.source is None else f", from snapshot {event.source.id}"
    network = event.share_network_id
    inside = "" if network is None else f", in share network {network}"
    name = named("share", event.name, event.share_id)
    return f"{name}, {event.size} GiB of {event.share_proto} on {place(event.host)}{source}{inside}"
