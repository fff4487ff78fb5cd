"""The commands and events of a share network."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from share_actors.events.decider import EPOCH, Command, Event
from share_actors.events.fields import Id, Name, printable
from share_actors.values import Network, NetworkType, SecurityService


class CreateShareNetwork(Command, Network):
    """Manila's `share_network_create`, with its one subnet."""

    network_id: Id
    name: Name | None = None
    description: Annotated[str, Field(max_length=255), AfterValidator(printable)] | None = None
    project_id: str
    user_id: str
    at: datetime = EPOCH


class DeleteShareNetwork(Command):
    """Refused while a server or a share is on it."""


class AddSecurityService(Command):
    service: SecurityService


class RemoveSecurityService(Command):
    service_id: str


class GrantAddresses(Command):
    """*count* addresses for a server; asked again, the same ones."""

    server_id: Id
    count: Annotated[int, Field(ge=0, le=1024)]


class ReleaseAddresses(Command):
    """The server is gone for good: its addresses are free, and its seat with them."""

    server_id: Id


class AssignServer(Command):
    """Which server shall *share_id* be on? One that fits, or else *new_server_id*, to be made.

    *beside*: where that share is (it is made from its snapshot). *most*: so many shares a server.
    """

    share_id: Id
    backend: str
    new_server_id: Id
    beside: Id | None = None
    most: int | None = None


class RetireServer(Command):
    """The server takes no more shares: it failed, or is going."""

    server_id: Id


class RejectShare(Command):
    """*share_id* is going: it is given no server from now on, whatever asks for one so late."""

    share_id: Id


class UnassignShare(Command):
    """*share_id* is on no server any more."""

    share_id: Id


class ShareNetworkCreated(Event):
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


class ShareNetworkDeleted(Event):
    pass


class SecurityServiceAdded(Event):
    service: SecurityService


class SecurityServiceRemoved(Event):
    service_id: str


class AddressesGranted(Event):
    server_id: str
    addresses: tuple[str, ...]


class AddressesReleased(Event):
    server_id: str
    addresses: tuple[str, ...]


class ServerAssigned(Event):
    share_id: str
    server_id: str
    backend: str


class ServerRetired(Event):
    server_id: str


class ShareRejected(Event):
    """The share is going; it is still assigned to its server, if it is to any."""

    share_id: str


class ShareUnassigned(Event):
    """The share is gone for good; *server_id* is None if it was on no server."""

    share_id: str
    server_id: str | None


NetworkCommand = (
    CreateShareNetwork | DeleteShareNetwork | AddSecurityService | RemoveSecurityService
    | GrantAddresses | ReleaseAddresses | AssignServer | RetireServer
    | RejectShare | UnassignShare
)  # fmt: skip


NetworkEvent = (
    ShareNetworkCreated | ShareNetworkDeleted | SecurityServiceAdded | SecurityServiceRemoved
    | AddressesGranted | AddressesReleased | ServerAssigned | ServerRetired
    | ShareRejected | ShareUnassigned
)  # fmt: skip
