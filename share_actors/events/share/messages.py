"""What can be asked of a share, what can happen to it, and what it can owe: `decider.py` decides.

Access rules and snapshots bring their own words (`access.py`, `snapshots.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from share_actors.events.attempts import (
    AttemptEvent,
    BeginAttempt,
    ReportFailure,
)
from share_actors.events.decider import EPOCH, Command, Effect, Event, RequestJoined, Settled
from share_actors.events.fields import Name, printable
from share_actors.events.share.access import AccessCommand, AccessEvent, ApplyRules
from share_actors.events.share.ensure import Ensure, EnsureCommand, EnsureEvent
from share_actors.events.share.manage import ManageCommand, ManageEffect, ManageEvent
from share_actors.events.share.server_attachment import (
    AttachmentCommand,
    AttachmentEffect,
    AttachmentEvent,
)
from share_actors.events.share.snapshot_messages import (
    SnapshotCommand,
    SnapshotEffect,
    SnapshotEvent,
)
from share_actors.values import ExportLocation, Placement, Protocol, SizeGiB, Snapshot

Doing = Literal["create", "extend", "shrink", "delete", "manage", "unmanage"]
ShareId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


# -- commands ------------------------------------------------------------------------------------
class CreateShare(Command):
    """`ShareManager.create_share`. *source* is the snapshot to create from, looked up by the sender."""

    share_id: ShareId
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
    share_network_id: ShareId | None = None
    placement: Placement | None = None
    """Why it goes to *host*, when the scheduler chose that."""
    same_host: tuple[str, ...] = ()
    different_host: tuple[str, ...] = ()
    """Hints: ids of shares with which it must be, and from which it must be apart."""
    at: datetime = EPOCH


class DeleteShare(Command):
    """`ShareManager.delete_share`; with *cascade* its snapshots go too."""

    cascade: bool = False


class ExtendShare(Command):
    size: SizeGiB


class ShrinkShare(Command):
    size: SizeGiB


class RetryShare(Command):
    """Out of error: what failed on the share, its rules and its snapshots is owed again."""


class ConfirmCreated(Command):
    export_locations: tuple[ExportLocation, ...]


class ConfirmResized(Command):
    doing: Literal["extend", "shrink"]
    size: int


class ConfirmDeleted(Command): ...


# -- events --------------------------------------------------------------------------------------
class ShareCreationRequested(Event):
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


class ShareCreated(Event):
    export_locations: tuple[ExportLocation, ...]

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("create"),)


class ShareResizeRequested(Event):
    doing: Literal["extend", "shrink"]
    size: int

    def opens(self) -> tuple[str, ...]:
        return (self.doing,)


class ShareResized(Event):
    doing: Literal["extend", "shrink"]
    size: int

    def settles(self) -> tuple[Settled, ...]:
        return (Settled(self.doing),)


class ShareResizeRefused(Event):
    """The backend declined and changed nothing: the share is available again, with the reason."""

    doing: Literal["extend", "shrink"]
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        return (Settled(self.doing, self.reason),)


class ShareDeletionRequested(Event):
    cascade: bool

    def opens(self) -> tuple[str, ...]:
        return ("delete",)


class ShareDeleted(Event):
    def settles(self) -> tuple[Settled, ...]:
        return (Settled("delete"), Settled("*", "the share was deleted"))


class ShareErrored(Event):
    doing: Doing
    reason: str

    def settles(self) -> tuple[Settled, ...]:
        over = Settled(self.doing, self.reason)
        if self.doing == "create":  # rules that wait for the share wait for a retry now
            return (over, Settled("rule/*", f"the share could not be created: {self.reason}"))
        if self.doing == "delete":  # whatever it came before will never be done
            superseded = (
                "create", "extend", "shrink", "unmanage", "ensure", "rule/*", "snapshot/*/create",
                "snapshot/*manage",
            )  # fmt: skip
            return (over, *(Settled(w, "the share is being deleted") for w in superseded))
        if self.doing == "unmanage":
            waiting = ("ensure", "rule/*")
            return (over, *(Settled(w, "the share is being let go") for w in waiting))
        return (over,)


class RetryRequested(Event):
    """*works* are owed again."""

    works: tuple[str, ...]

    def opens(self) -> tuple[str, ...]:
        return self.works


# -- effects -------------------------------------------------------------------------------------
class Provision(Effect):
    source: Snapshot | None

    def key(self) -> str:
        return "create"


class Resize(Effect):
    doing: Literal["extend", "shrink"]
    size: int

    def key(self) -> str:
        return self.doing


class Destroy(Effect):
    def key(self) -> str:
        return "delete"


OwnEvent = (
    ShareCreationRequested
    | ShareCreated
    | ShareResizeRequested
    | ShareResized
    | ShareResizeRefused
    | ShareDeletionRequested
    | ShareDeleted
    | ShareErrored
    | RetryRequested
)
ShareCommand = (
    CreateShare | DeleteShare | ExtendShare | ShrinkShare | RetryShare
    | ConfirmCreated | ConfirmResized | ConfirmDeleted | BeginAttempt | ReportFailure
    | AccessCommand | SnapshotCommand | ManageCommand | AttachmentCommand | EnsureCommand
)  # fmt: skip
ShareEvent = (
    OwnEvent | AttemptEvent | RequestJoined
    | AccessEvent | SnapshotEvent | ManageEvent | AttachmentEvent | EnsureEvent
)  # fmt: skip
ShareEffect = (
    Provision
    | Resize
    | Destroy
    | ApplyRules
    | SnapshotEffect
    | ManageEffect
    | AttachmentEffect
    | Ensure
)
