"""The commands, events and effects of a share server."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from share_actors.events.attempts import AttemptEvent, BeginAttempt, ReportFailure
from share_actors.events.decider import EPOCH, Command, Effect, Event, RequestJoined, Settled
from share_actors.values.checks.fields import Id, Reason
from share_actors.values.secret import SecretText

DeletionReason = Literal["asked", "unused", "last_share", "set_up_failed"]
"""Why a server is deleted: on request, unused for too long, its last share left, or its set-up failed."""


# -- commands ------------------------------------------------------------------------------------
class AttachShare(Command, topic="server.attach_share"):
    """Attach a share to the server *server_id*, which is created if it does not exist."""

    share_id: Id
    server_id: Id
    host: str
    share_network_id: Id
    project_id: str
    at: datetime = EPOCH

    def destination(self) -> str:
        """Return the host that was named."""
        return self.host


class DetachShare(Command, topic="server.detach_share"):
    """Detach a share that is gone; no later command attaches it. *data_stay*: its data are still there."""

    share_id: Id
    data_stay: bool = False
    at: datetime = EPOCH


class DeleteServer(Command, topic="server.delete"):
    """Delete the server; rejected while it has shares, or was in use after *unused_since*."""

    why: DeletionReason = "asked"
    unused_since: datetime | None = None


class RetryServer(Command, topic="server.retry"):
    """Retry the teardown of a server in error."""


class ForgetServer(Command, topic="server.forget"):
    """Forget the server, without a driver call; rejected while it has shares. *reason* is recorded."""

    reason: Reason


class ChangeServerBackend(Command, topic="server.change_backend"):
    """The server of backend *old* is on *host* from now on: the backend was renamed."""

    old: str
    host: str


class ConfirmAddressesAllocated(Command):
    """The outcome of `AllocateAddresses`."""

    addresses: tuple[str, ...]


class ConfirmSetUp(Command):
    """The outcome of `SetUpServer`, with the backend details that the driver returned."""

    details: dict[str, SecretText]


class ConfirmTornDown(Command):
    """The outcome of `TearDownServer`."""


class ConfirmAddressesDeallocated(Command):
    """The outcome of `DeallocateAddresses`."""


# -- events --------------------------------------------------------------------------------------
class ServerRequested(Event, topic="server.requested"):
    """A server is to be created for its first share."""

    server_id: str
    host: str
    share_network_id: str
    project_id: str
    at: datetime

    def opens(self) -> tuple[str, ...]:
        """Open `create`."""
        return ("create",)


class ShareAttached(Event, topic="server.share_attached"):
    """A share was attached; its request waits for the set-up unless the server is *ready*."""

    share_id: str
    ready: bool

    def opens(self) -> tuple[str, ...]:
        """Open `share/ID` until the server is set up."""
        return () if self.ready else (f"share/{self.share_id}",)


class ShareDetached(Event, topic="server.share_detached"):
    """A share was detached; it is not attached again. *data_stay*: its data are still on the server."""

    schema_version: ClassVar[int] = 2

    share_id: str
    at: datetime
    data_stay: bool = False

    def settles(self) -> tuple[Settled, ...]:
        """Fail `share/ID`, if it is still open."""
        return (Settled(f"share/{self.share_id}", "the share left the server"),)


class AddressesAllocated(Event, topic="server.addresses_allocated"):
    """The share network granted the server its addresses."""

    addresses: tuple[str, ...]


class ServerSetUp(Event, topic="server.set_up"):
    """The backend set the server up; *details* are the driver's, sealed unless they are public."""

    schema_version: ClassVar[int] = 2

    details: dict[str, SecretText]

    def settles(self) -> tuple[Settled, ...]:
        """End `create` and the requests of the attached shares."""
        return (Settled("create"), Settled("share/*"))


class ServerSetUpFailed(Event, topic="server.set_up_failed"):
    """The set-up failed, and the server is torn down; *details* are the driver's, for the teardown."""

    schema_version: ClassVar[int] = 2

    reason: str
    details: dict[str, SecretText]

    def opens(self) -> tuple[str, ...]:
        """Open `delete`."""
        return ("delete",)

    def settles(self) -> tuple[Settled, ...]:
        """Fail `create` and the requests of the attached shares."""
        return (Settled("create", self.reason), Settled("share/*", self.reason))


class ServerDeletionRequested(Event, topic="server.deletion_requested"):
    """The server is to be deleted."""

    why: DeletionReason

    def opens(self) -> tuple[str, ...]:
        """Open `delete`."""
        return ("delete",)

    def settles(self) -> tuple[Settled, ...]:
        """Fail `create`, if it is still open."""
        return (Settled("create", "the share server is being deleted"),)


class ServerTornDown(Event, topic="server.torn_down"):
    """The backend tore the server down."""


class ServerDeleted(Event, topic="server.deleted"):
    """The addresses were released, and the server is gone."""

    def settles(self) -> tuple[Settled, ...]:
        """End `delete`."""
        return (Settled("delete"),)


class ServerErrored(Event, topic="server.errored"):
    """The teardown or the release of the addresses failed."""

    reason: str

    def settles(self) -> tuple[Settled, ...]:
        """Fail `delete` and `forget`."""
        return (Settled("delete", self.reason), Settled("forget", self.reason))


class ServerRetried(Event, topic="server.retried"):
    """The deletion of a server in error is to be retried."""

    def opens(self) -> tuple[str, ...]:
        """Open `delete`."""
        return ("delete",)


class ServerForgetRequested(Event, topic="server.forget_requested"):
    """The server is to be forgotten, for this *reason*; its addresses are released first."""

    reason: str

    def opens(self) -> tuple[str, ...]:
        """Open `forget`."""
        return ("forget",)

    def settles(self) -> tuple[Settled, ...]:
        """Fail `create`, if it is still open."""
        return (Settled("create", "the share server is being forgotten"),)


class ServerForgotten(Event, topic="server.forgotten"):
    """The addresses were released, and the server is no longer managed."""

    def settles(self) -> tuple[Settled, ...]:
        """End `forget` and `delete`."""
        return (Settled("forget"), Settled("delete"))


class ServerBackendChanged(Event, topic="server.backend_changed"):
    """The backend *old* was renamed: the server is on *host*. An attempt in progress goes on."""

    old: str
    host: str


# -- effects -------------------------------------------------------------------------------------
class AllocateAddresses(Effect):
    """Get addresses from the share network."""

    def key(self) -> str:
        """Return `addresses`."""
        return "addresses"


class SetUpServer(Effect):
    """Set the server up on its backend (`ShareDriver.setup_server`)."""

    def key(self) -> str:
        """Return `create`."""
        return "create"


class TearDownServer(Effect):
    """Tear the server down on its backend (`ShareDriver.teardown_server`)."""

    def key(self) -> str:
        """Return `delete`."""
        return "delete"


class DeallocateAddresses(Effect):
    """Release the addresses to the share network."""

    def key(self) -> str:
        """Return `give_back`."""
        return "give_back"


ServerCommand = (
    AttachShare
    | DetachShare
    | DeleteServer
    | RetryServer
    | ForgetServer
    | ChangeServerBackend
    | ConfirmAddressesAllocated
    | ConfirmSetUp
    | ConfirmTornDown
    | ConfirmAddressesDeallocated
    | BeginAttempt
    | ReportFailure
)
OwnEvent = (
    ServerRequested
    | ShareAttached
    | ShareDetached
    | AddressesAllocated
    | ServerSetUp
    | ServerSetUpFailed
    | ServerDeletionRequested
    | ServerTornDown
    | ServerDeleted
    | ServerErrored
    | ServerRetried
    | ServerForgetRequested
    | ServerForgotten
    | ServerBackendChanged
)
ServerEvent = OwnEvent | AttemptEvent | RequestJoined
ServerEffect = AllocateAddresses | SetUpServer | TearDownServer | DeallocateAddresses
