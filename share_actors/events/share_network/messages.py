"""The commands and events of a share network."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, field_validator

from share_actors.events.decider import EPOCH, Command, Event
from share_actors.values import Network, NetworkType, SecurityService, check_service
from share_actors.values.checks.fields import Description, Id, Name
from share_actors.values.secret import require_plain


class CreateShareNetwork(Command, Network, topic="network.create"):
    """Create a network with one subnet (Manila's `share_network_create`)."""

    network_id: Id
    name: Name | None = None
    description: Description | None = None
    project_id: str
    user_id: str
    at: datetime = EPOCH

    def owning_project(self) -> str:
        """Return the project of the new network."""
        return self.project_id


class DeleteShareNetwork(Command, topic="network.delete"):
    """Delete the network; rejected while it has share servers or shares."""


class AddSecurityService(Command, topic="network.add_security_service"):
    """Add a security service; rejected while the network has share servers."""

    secrets: ClassVar[tuple[str, ...]] = ("service.password",)

    service: Annotated[SecurityService, AfterValidator(check_service)]

    @field_validator("service", mode="before")
    @classmethod
    def _in_plain(cls, service: Any) -> Any:
        """Refuse a sealed password: only the network itself seals it."""
        if isinstance(service, dict | SecurityService):
            require_plain("password", service.get("password"))
        return service


class RemoveSecurityService(Command, topic="network.remove_security_service"):
    """Remove a security service; rejected while the network has share servers."""

    service_id: Id


class GrantAddresses(Command, topic="network.grant_addresses"):
    """Grant *count* addresses to a server; a repeated command grants the same ones."""

    server_id: Id
    count: Annotated[int, Field(ge=0, le=1024)]


class ReleaseAddresses(Command, topic="network.release_addresses"):
    """Free the addresses of a deleted server and remove the server from the network."""

    server_id: Id


class AssignServer(Command, topic="network.acquire_server"):
    """Assign *share_id* to a server of its backend with room, or else to the new server *new_server_id*.

    *beside*: the share whose server it must be on, since it is created from a snapshot of that share.
    *most*: the maximum number of shares on a server. *on*: the server that it must be on, since it is there.
    """

    share_id: Id
    backend: str
    new_server_id: Id
    beside: Id | None = None
    most: int | None = None
    on: Id | None = None


class RetireServer(Command, topic="network.retire_server"):
    """Assign no more shares to a server that failed or is being deleted."""

    server_id: Id


class RejectShare(Command, topic="network.turn_away"):
    """Reject any later command that would assign *share_id*, which is being deleted, to a server."""

    share_id: Id


class UnassignShare(Command, topic="network.leave_server"):
    """End the assignment of *share_id*, which was detached from its server."""

    share_id: Id


class ChangeNetworkBackend(Command, topic="network.change_backend"):
    """The share servers of backend *old* are on backend *new* from now on: it was renamed."""

    old: str
    new: str


class ShareNetworkCreated(Event, topic="network.created"):
    """A share network was created."""

    network_id: str
    name: str | None
    description: str | None
    project_id: str
    user_id: str
    cidr: str
    gateway: str | None
    network_type: NetworkType
    segmentation_id: int | None
    at: datetime


class ShareNetworkDeleted(Event, topic="network.deleted"):
    """The share network was deleted."""


class SecurityServiceAdded(Event, topic="network.security_service_added"):
    """A security service was added; its password is sealed."""

    schema_version: ClassVar[int] = 2

    service: SecurityService


class SecurityServiceRemoved(Event, topic="network.security_service_removed"):
    """A security service was removed."""

    service_id: str


class AddressesGranted(Event, topic="network.addresses_granted"):
    """A share server was granted addresses."""

    server_id: str
    addresses: tuple[str, ...]


class AddressesReleased(Event, topic="network.addresses_released"):
    """A share server was removed from the network, and its addresses are free."""

    server_id: str
    addresses: tuple[str, ...]


class ServerAssigned(Event, topic="network.server_assigned"):
    """A share was assigned to a server, which is new if the network does not have it yet."""

    share_id: str
    server_id: str
    backend: str


class ServerRetired(Event, topic="network.server_retired"):
    """No more shares are assigned to the server."""

    server_id: str


class ShareRejected(Event, topic="network.share_turned_away"):
    """The share is being deleted: it keeps its server, if it has one, and is assigned to no other."""

    share_id: str


class ShareUnassigned(Event, topic="network.share_unassigned"):
    """The share was detached from its server; *server_id* is None if it had none."""

    share_id: str
    server_id: str | None


class NetworkBackendChanged(Event, topic="network.backend_changed"):
    """The backend *old* was renamed: its share servers are on backend *new*."""

    old: str
    new: str


NetworkCommand = (
    CreateShareNetwork
    | DeleteShareNetwork
    | AddSecurityService
    | RemoveSecurityService
    | GrantAddresses
    | ReleaseAddresses
    | AssignServer
    | RetireServer
    | RejectShare
    | UnassignShare
    | ChangeNetworkBackend
)
NetworkEvent = (
    ShareNetworkCreated
    | ShareNetworkDeleted
    | SecurityServiceAdded
    | SecurityServiceRemoved
    | AddressesGranted
    | AddressesReleased
    | ServerAssigned
    | ServerRetired
    | ShareRejected
    | ShareUnassigned
    | NetworkBackendChanged
)
