"""Creating a share, empty or from a snapshot: absent -> creating -> available."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Self, assert_never

from pydantic import Field

from share_actors.events import attempts
from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, Settled
from share_actors.events.phrases import exported_at, named, place
from share_actors.events.share.state import ShareState, settle
from share_actors.values import (
    Assignment,
    ExportLocation,
    Implied,
    Placement,
    PlacementRequest,
    RequestedSpec,
    Share,
    ShareSpec,
    SizeGiB,
    Snapshot,
)
from share_actors.values.checks.fields import Hints, Id


# -- messages ------------------------------------------------------------------------------------
class CreateShare(Command, topic="share.create"):
    """`ShareManager.create_share`; from the snapshot *snapshot_id*, which the manager looks up."""

    share_id: Id
    spec: RequestedSpec
    size: SizeGiB
    snapshot_id: Id | None = None
    default_protocol: bool = False
    """The sender named no protocol: a share from a snapshot has that of the snapshot's share."""
    source: Snapshot | None = None
    """The snapshot, as the manager found it."""
    parent: Annotated[Share | None, Field(exclude=True)] = None
    """The share of the snapshot, without its rules and snapshots; not a part of the message."""
    extra_specs: dict[str, str] = Field(default_factory=dict, exclude=True)
    """Those of the share type, as the manager found them; not a part of the message."""
    placement: Placement | None = None
    """Why the scheduler chose the host; None if the sender named it."""
    same_host: Hints = ()
    different_host: Hints = ()
    """Scheduler hints: ids of shares to be placed with, and apart from."""
    at: datetime = EPOCH

    def destination(self) -> str:
        """Return the host that was named."""
        return self.spec.host

    def placement_request(self) -> PlacementRequest | None:
        """Return what the scheduler has to know."""
        if self.placement is not None:
            return None
        spec, source = self.spec, self.source
        return PlacementRequest(
            size=self.size,
            share_proto="" if self.default_protocol else spec.share_proto,
            host=spec.host,
            share_type=spec.share_type,
            share_network_id=spec.share_network_id,
            availability_zone=spec.availability_zone,
            snapshot_id=self.snapshot_id if source is None else source.id,
            same_host=self.same_host,
            different_host=self.different_host,
        )

    def placed(self, assignment: Assignment) -> Self:
        """This command with the host that the scheduler chose, and why, and what its snapshot implies."""
        implied = assignment.implied or Implied(self.spec.share_proto, self.spec.share_network_id)
        spec = self.spec.replace(
            host=assignment.host,
            share_type=assignment.share_type,
            share_proto=implied.share_proto,
            share_network_id=implied.share_network_id,
        )
        source = self.source if implied.source is None else implied.source
        parent = self.parent if implied.parent is None else implied.parent
        return self.replace(
            spec=spec,
            placement=assignment.placement,
            source=source,
            parent=parent,
            extra_specs=dict(assignment.extra_specs or {}),
        )

    def operation(self) -> str:
        """Return the operation; to let every project read the share takes a greater role."""
        return "share.create_public" if self.spec.is_public else self.topic

    def owning_project(self) -> str:
        """Return the project of the new share."""
        return self.spec.project_id

    def work(self) -> str:
        """Return the requested work."""
        return "create"


class ConfirmCreated(Command):
    """The backend created the share."""

    export_locations: tuple[ExportLocation, ...]


class ShareCreationRequested(Event, topic="share.creation_requested"):
    """A share is to be created."""

    schema_version: ClassVar[int] = 5

    share_id: str
    spec: ShareSpec
    size: int
    source: Snapshot | None
    parent: Share | None = None
    extra_specs: dict[str, str] = Field(default_factory=dict)
    placement: Placement | None
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("create",)


class ShareCreated(Event, topic="share.created"):
    """The backend created the share."""

    schema_version: ClassVar[int] = 2
    export_locations: tuple[ExportLocation, ...]

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("create"),)


class Provision(Effect):
    """The driver's `create_share`, or `create_share_from_snapshot` if there is a *source*."""

    source: Snapshot | None

    def key(self) -> str:
        """Return the name of the effect."""
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
    status = state.share.status
    if status == "absent":
        if command.snapshot_id is not None and command.source is None:
            raise Rejected(f"snapshot {command.snapshot_id} was not looked up")
        fields = {**command.__dict__}
        for name in ("snapshot_id", "default_protocol", "same_host", "different_host"):
            del fields[name]
        return [ShareCreationRequested(**fields)]
    if status in ("creating", "available", "extending", "shrinking") and _repeated(command, state):
        return []
    raise Rejected(f"share {command.share_id} exists already and is {status}")


def _repeated(command: CreateShare, state: ShareState) -> bool:
    """Whether *command* requests the share that exists; a host that the scheduler chose may differ."""
    share, spec = state.share, command.spec
    source_id = command.snapshot_id if command.source is None else command.source.id
    same = ["name", "share_proto", "project_id", "share_network_id"]
    same += ["host"] if command.placement is None else []
    matches = all(getattr(spec, field) == getattr(share, field) for field in same)
    return matches and command.size == share.size and source_id == share.snapshot_id


def evolve(state: ShareState, event: CreationEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareCreationRequested():
            share, source = _requested(event), event.source
            return state.replace(
                share=share,
                doing="create",
                source=source,
                parent=event.parent,
                extra_specs=event.extra_specs,
                room=event.size,
            )
        case ShareCreated(export_locations=locations):
            return settle(state, "create", export_locations=locations)
        case _:
            assert_never(event)


def _requested(event: ShareCreationRequested) -> Share:
    return Share.from_spec(
        event.spec,
        id=event.share_id,
        size=event.size,
        snapshot_id=None if event.source is None else event.source.id,
        created_at=event.at,
        status="creating",
    )


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
    network = event.spec.share_network_id
    inside = "" if network is None else f", in share network {network}"
    name = named("share", event.spec.name, event.share_id)
    return f"{name}, {event.size} GiB of {event.spec.share_proto} on {place(event.spec.host)}{source}{inside}"
