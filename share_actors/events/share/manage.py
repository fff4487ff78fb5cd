"""Custody of what exists already: a share taken under management (`manage_share`), and let go untouched.

manage_starting -> available, or manage_error; unmanage_starting -> unmanaged, or unmanage_error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, assert_never

from pydantic import AfterValidator, Field

from share_actors.events.decider import EPOCH, Command, Effect, Event, Settled
from share_actors.events.fields import Name, printable
from share_actors.events.phrases import exported_at, joined, named, place
from share_actors.values import ExportLocation, Protocol, SizeGiB


class ManageShare(Command):
    """`ShareManager.manage_share`: adopt what *driver_options* (such as a path) say is on *host*."""

    share_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    name: Name | None = None
    description: Annotated[str, Field(max_length=255), AfterValidator(printable)] | None = None
    share_proto: Protocol = "NFS"
    host: str
    project_id: str
    user_id: str
    metadata: dict[str, str] = {}
    is_public: bool = False
    share_type: str | None = None
    driver_options: dict[str, Any] = {}
    at: datetime = EPOCH


class UnmanageShare(Command):
    """`ShareManager.unmanage_share`: forget the share, and leave what is on the backend as it is."""


class ConfirmManaged(Command):
    """It is in *pool*, as far as the driver tells."""

    size: SizeGiB
    export_locations: tuple[ExportLocation, ...]
    pool: str | None = None


class ConfirmUnmanaged(Command):
    pass


class ShareManageRequested(Event):
    share_id: str
    name: str | None
    description: str | None
    share_proto: str
    host: str
    project_id: str
    user_id: str
    metadata: dict[str, str]
    is_public: bool
    share_type: str | None
    driver_options: dict[str, Any]
    at: datetime

    def opens(self) -> tuple[str, ...]:
        return ("manage",)


class ShareManaged(Event):
    size: int
    export_locations: tuple[ExportLocation, ...]
    pool: str | None = None

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("manage"),)


class ShareUnmanageRequested(Event):
    def opens(self) -> tuple[str, ...]:
        return ("unmanage",)


class ShareUnmanaged(Event):
    def settles(self) -> tuple[Settled, ...]:
        return (Settled("unmanage"), Settled("*", "the share is not managed any more"))


class Adopt(Effect):
    driver_options: dict[str, Any]

    def key(self) -> str:
        return "manage"


class LetGo(Effect):
    def key(self) -> str:
        return "unmanage"


ManageCommand = ManageShare | UnmanageShare | ConfirmManaged | ConfirmUnmanaged
ManageEvent = ShareManageRequested | ShareManaged | ShareUnmanageRequested | ShareUnmanaged
ManageEffect = Adopt | LetGo


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: ManageEvent, who: str) -> str:
    """What happened; *who* asked for it."""
    match event:
        case ShareManageRequested(share_id=i, name=name, host=host, driver_options=options):
            where = joined(f"{key}={value}" for key, value in options.items())
            return f"{who} asked to manage {where} on {place(host)} as {named('share', name, i)}"
        case ShareUnmanageRequested():
            return f"{who} asked to let go of it"
        case ShareManaged(size=size, export_locations=locations):
            return f"it is managed, {size} GiB; {exported_at(locations)}"
        case ShareUnmanaged():
            return "it is not managed any more; it is on the backend as it was"
        case _:
            assert_never(event)
