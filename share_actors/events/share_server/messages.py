"""What can be asked of a share server, happen to it, and be owed by it: `decider.py` decides."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from share_actors.events.attempts import AttemptEvent, BeginAttempt, ReportFailure
from share_actors.events.decider import EPOCH, Command, Effect, Event, RequestJoined, Settled
from share_actors.events.fields import Id

Why = Literal["asked", "unused", "last_share", "set_up_failed"]
"""Why a server goes: somebody asked, nobody used it for long, its last share left, or it never came to be."""


# -- commands ------------------------------------------------------------------------------------
class AttachShare(Command):
    """A share is to be on this server, which is made if there is none of this id."""

    share_id: Id
    server_id: Id
    host: str
    share_network_id: Id
    project_id: str
    at: datetime = EPOCH


class DetachShare(Command):
    """The share is gone, or never came to be."""

    share_id: Id
    at: datetime = EPOCH


class DeleteServer(Command):
    """Refused while it has shares. *unused_since*: only if it has been unused since then or longer."""

    why: Why = "asked"
    unused_since: datetime | None = None


class RetryServer(Command):
    """Out of error: it is torn down again."""


class ConfirmAddressesAllocated(Command):
    addresses: tuple[str, ...]


class ConfirmSetUp(Command):
    details: dict[str, str]


class ConfirmTornDown(Command):
    pass


class ConfirmAddressesDeallocated(Command):
    pass


# -- events --------------------------------------------------------------------------------------
class ServerRequested(Event):
    server_id: str
    host: str
    share_network_id: str
    project_id: str
    at: datetime

    def opens(self) -> tuple[str, ...]:
        return ("create",)


class ShareAttached(Event):
    """A share is on this server; who asked waits for the set-up unless the server is *ready*."""

    share_id: str
    ready: bool

    def opens(self) -> tuple[str, ...]:
        return () if self.ready else (f"share/{self.share_id}",)


class ShareDetached(Event):
    share_id: str
    at: datetime

    def settles(self) -> tuple[Settled, ...]:
        return (Settled(f"share/{self.share_id}", "the share left the server"),)


class AddressesAllocated(Event):
    addresses: tuple[str, ...]


class ServerSetUp(Event):
    details: dict[str, str]

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("create"), Settled("share/*"))


class ServerSetUpFailed(Event):
    """*details* are what there is of it, as far as the driver told: it is torn down again."""

    reason: str
    details: dict[str, str]

    def opens(self) -> tuple[str, ...]:
        return ("delete",)

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("create", self.reason), Settled("share/*", self.reason))


class ServerDeletionRequested(Event):
    why: Why

    def opens(self) -> tuple[str, ...]:
        return ("delete",)

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("create", "the share server is being deleted"),)


class ServerTornDown(Event):
    pass


class ServerDeleted(Event):
    def settles(self) -> tuple[Settled, ...]:
        return (Settled("delete"),)


class ServerErrored(Event):
    """It could not be torn down, or its addresses could not be given back."""

    reason: str

    def settles(self) -> tuple[Settled, ...]:
        return (Settled("delete", self.reason),)


class ServerRetried(Event):
    def opens(self) -> tuple[str, ...]:
        return ("delete",)


# -- effects -------------------------------------------------------------------------------------
class AllocateAddresses(Effect):
    def key(self) -> str:
        return "addresses"


class SetUpServer(Effect):
    def key(self) -> str:
        return "create"


class TearDownServer(Effect):
    def key(self) -> str:
        return "delete"


class DeallocateAddresses(Effect):
    def key(self) -> str:
        return "give_back"


ServerCommand = (
    AttachShare | DetachShare | DeleteServer | RetryServer | ConfirmAddressesAllocated | ConfirmSetUp
    | ConfirmTornDown | ConfirmAddressesDeallocated | BeginAttempt | ReportFailure
)  # fmt: skip
OwnEvent = (
    ServerRequested | ShareAttached | ShareDetached | AddressesAllocated | ServerSetUp
    | ServerSetUpFailed | ServerDeletionRequested | ServerTornDown | ServerDeleted | ServerErrored
    | ServerRetried
)  # fmt: skip
ServerEvent = OwnEvent | AttemptEvent | RequestJoined
ServerEffect = AllocateAddresses | SetUpServer | TearDownServer | DeallocateAddresses
