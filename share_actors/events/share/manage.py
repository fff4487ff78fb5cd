"""Managing existing data on a backend as a share (`manage_share`), and unmanaging it, data left in place.

manage_starting -> available, or manage_error; unmanage_starting -> unmanaged, or unmanage_error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self, assert_never

from pydantic import Field

from share_actors.events import attempts
from share_actors.events.decider import EPOCH, Command, Effect, Event, Rejected, Settled
from share_actors.events.phrases import exported_at, joined, named, place
from share_actors.events.share import access, server_attachment
from share_actors.events.share.forgetting import ShareForgotten
from share_actors.events.share.protection import locks
from share_actors.events.share.server_attachment import AcquireServer
from share_actors.events.share.state import ShareState, initial, require_status, settle
from share_actors.values import (
    Assignment,
    ExportLocation,
    PlacementRequest,
    RequestedSpec,
    Share,
    ShareSpec,
    SizeGiB,
)
from share_actors.values.checks.fields import DriverOptions, Id
from share_actors.values.checks.urls import MASK
from share_actors.values.secret import OptionValue, Sealed


# -- messages ------------------------------------------------------------------------------------
class ManageShare(Command, topic="share.manage"):
    """`ShareManager.manage_share`: manage what *driver_options* (such as a path) locate on *host*."""

    secrets: ClassVar[tuple[str, ...]] = ("driver_options",)

    share_id: Id
    spec: RequestedSpec
    driver_options: DriverOptions = Field(default_factory=dict)
    share_server_id: Id | None = None
    """The share server that the share is on, of a backend that handles them."""
    extra_specs: dict[str, str] = Field(default_factory=dict, exclude=True)
    """Those of the share type, as the manager found them; not a part of the message."""
    at: datetime = EPOCH

    def destination(self) -> str:
        """Return the host that was named."""
        return self.spec.host

    def placement_request(self) -> PlacementRequest:
        """Return what the scheduler has to know."""
        spec = self.spec
        return PlacementRequest(0, spec.share_proto, spec.host, spec.share_type)

    def placed(self, assignment: Assignment) -> Self:
        """This command with the extra specs of its share type, and the network of its share server."""
        implied = assignment.implied
        network = self.spec.share_network_id if implied is None else implied.share_network_id
        spec = self.spec.replace(share_network_id=network)
        return self.replace(spec=spec, extra_specs=dict(assignment.extra_specs or {}))

    def owning_project(self) -> str:
        """Return the project of the new share."""
        return self.spec.project_id

    def work(self) -> str:
        """Return the requested work."""
        return "manage"


class UnmanageShare(Command, topic="share.unmanage"):
    """`ShareManager.unmanage_share`: forget the share and leave its data on the backend in place."""

    def work(self) -> str:
        """Return the requested work."""
        return "unmanage"


class ConfirmManaged(Command):
    """The driver found the share, in *pool* if it reports pools."""

    size: SizeGiB
    export_locations: tuple[ExportLocation, ...]
    pool: str | None = None


class ConfirmUnmanaged(Command):
    """The driver released the share; or it was not called, since its backend is *gone* (the reason)."""

    gone: str | None = None


class ShareManageRequested(Event, topic="share.manage_requested"):
    """What exists on the backend is to be managed as a share."""

    schema_version: ClassVar[int] = 5

    share_id: str
    spec: ShareSpec
    driver_options: dict[str, OptionValue]
    share_server_id: str | None = None
    extra_specs: dict[str, str] = Field(default_factory=dict)
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("manage",)


class ShareManaged(Event, topic="share.managed"):
    """The driver found the share, of *size* GiB."""

    schema_version: ClassVar[int] = 2
    size: int
    export_locations: tuple[ExportLocation, ...]
    pool: str | None = None

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("manage"),)


class ShareUnmanageRequested(Event, topic="share.unmanage_requested"):
    """The share is to be unmanaged."""

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending."""
        return ("unmanage",)


class ShareWithdrawn(Event, topic="share.withdrawn"):
    """The driver released the share; it is still attached to its share server.

    *gone*: the driver was not called, since the backend is gone.
    """

    gone: str | None = None


class ShareUnmanaged(Event, topic="share.unmanaged"):
    """The share is no longer managed; its data is on the backend as before."""

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end."""
        return (Settled("unmanage"), Settled("*", "the share is no longer managed"))


class ManageExisting(Effect):
    """The driver's `manage_existing`."""

    driver_options: dict[str, OptionValue]

    def key(self) -> str:
        """Return the name of the effect."""
        return "manage"


class Unmanage(Effect):
    """The driver's `unmanage`."""

    def key(self) -> str:
        """Return the name of the effect."""
        return "unmanage"


ManageCommand = ManageShare | UnmanageShare | ConfirmManaged | ConfirmUnmanaged
ManageEvent = (
    ShareManageRequested | ShareManaged | ShareUnmanageRequested | ShareWithdrawn | ShareUnmanaged
)
ManageEffect = ManageExisting | Unmanage


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ManageCommand, state: ShareState) -> list[ManageEvent | ShareForgotten]:
    """The events that *command* comes to; raises `Rejected` if it is not possible now."""
    match command:
        case ManageShare():
            return _manage(command, state)
        case UnmanageShare():
            return _unmanage(state)
        case ConfirmManaged():
            attempts.require(state.attempt, "manage")
            return [ShareManaged(**command.__dict__)]
        case ConfirmUnmanaged():
            attempts.require(state.attempt, "unmanage")
            if state.share.share_network_id is not None:
                return [ShareWithdrawn(gone=command.gone)]
            return [_left(command.gone)]
        case _:
            assert_never(command)


def _left(gone: str | None) -> ShareUnmanaged | ShareForgotten:
    return ShareUnmanaged() if gone is None else ShareForgotten(reason=gone)


def released(state: ShareState) -> ShareUnmanaged | ShareForgotten:
    """The end of a share that was to be unmanaged, once it is detached from its share server."""
    return _left(state.share.status_reason)


def _manage(command: ManageShare, state: ShareState) -> list[ManageEvent | ShareForgotten]:
    share, spec = state.share, command.spec
    if command.share_server_id is not None and spec.share_network_id is None:
        raise Rejected(f"the network of share server {command.share_server_id} is not known")
    if share.status in ("absent", "unmanaged"):
        if command.share_server_id is not None and spec.share_network_id == share.share_network_id:
            raise Rejected(
                f"share {command.share_id} has left share network {share.share_network_id}, which takes"
                " no share again under the same id: manage its data under a new id"
            )
        return [ShareManageRequested(**command.__dict__)]
    same = all(getattr(spec, k) == getattr(share, k) for k in ("name", "share_proto", "project_id"))
    differs = state.doing == "manage" and command.driver_options != state.driver_options
    same_host = spec.host in (share.host, share.backend)
    repeated = same and same_host and not differs
    if repeated and state.share.status in ("manage_starting", "available"):
        return []
    raise Rejected(f"share {command.share_id} exists already and is {state.share.status}")


def _unmanage(state: ShareState) -> list[ManageEvent | ShareForgotten]:
    """Manila's `UnmanageInvalidShare`, if what belongs to the share could not be found again without it."""
    if state.share.status in ("unmanage_starting", "unmanaged"):
        return []
    locks.require_unlocked(state, "unmanaged")
    require_status(state, "available", "error", "reverting_error", "manage_error", "unmanage_error")
    if state.snapshots.held:
        ids = ", ".join(state.snapshots.held)
        text = f"the share has snapshots ({ids}): unmanage or delete them first"
        raise Rejected(f"{text}, or forget the share with them")
    return [ShareUnmanageRequested()]


def evolve(state: ShareState, event: ManageEvent) -> ShareState:
    """The state after *event*."""
    match event:
        case ShareManageRequested():
            return _requested(state, event)
        case ShareManaged(size=size, export_locations=locations, pool=pool):
            host = state.share.host if pool is None else f"{state.share.backend}#{pool}"
            share = state.share.replace(size=size, export_locations=locations, host=host)
            managed = state.replace(share=share, driver_options={}, former_rules=())
            managed = managed.replace(room=size, found=size)
            return settle(managed.replace(rules=access.removing(state.former_rules)), "manage")
        case ShareUnmanageRequested():
            leaving = state.share.replace(status="unmanage_starting", status_reason=None)
            return state.replace(share=leaving, doing="unmanage")
        case ShareWithdrawn(gone=gone):
            withdrawn = state.share.replace(export_locations=(), status_reason=gone)
            return state.replace(share=withdrawn, withdrawn=True, attempt=None)
        case ShareUnmanaged():
            unmanaged = state.share.replace(
                status="unmanaged", status_reason=None, share_server_id=None
            )
            return initial.replace(share=unmanaged, found=state.found - state.room)
        case _:
            assert_never(event)


def _requested(state: ShareState, event: ShareManageRequested) -> ShareState:
    share = Share.from_spec(
        event.spec, id=event.share_id, created_at=event.at, status="manage_starting"
    )
    options = event.driver_options
    specs = event.extra_specs
    return state.replace(
        share=share,
        doing="manage",
        driver_options=options,
        on_server=event.share_server_id,
        extra_specs=specs,
        found=0,
    )


def pending(state: ShareState) -> AcquireServer | ManageExisting:
    """What a share that is being managed needs next: its share server, if it is on one, before all else."""
    attaching = server_attachment.pending(state)
    return attaching or ManageExisting(driver_options=state.driver_options)


def sentence(event: ManageEvent, who: str) -> str:
    """*event* in words; *who* requested it."""
    match event:
        case ShareManageRequested(
            share_id=i, spec=spec, driver_options=options, share_server_id=server_id
        ):
            where = joined(f"{key}={_shown(value)}" for key, value in options.items())
            name = named("share", spec.name, i)
            server = "" if server_id is None else f", share server {server_id},"
            return f"{who} asked to manage {where} on {place(spec.host)}{server} as {name}"
        case ShareUnmanageRequested():
            return f"{who} asked to unmanage it"
        case ShareManaged(size=size, export_locations=locations):
            return f"it is managed, {size} GiB; {exported_at(locations)}"
        case ShareWithdrawn(gone=gone):
            done = (
                "its driver released it" if gone is None else f"its driver was not called: {gone}"
            )
            return f"{done}; it is still attached to its share server"
        case ShareUnmanaged():
            return "it is no longer managed; its data is on the backend as before"
        case _:
            assert_never(event)


def _shown(option: Any) -> Any:
    return MASK if isinstance(option, Sealed) else option
