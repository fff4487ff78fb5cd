"""The words of share networks and share servers, that events, drivers and clients share. Frozen; no I/O."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from share_actors.values.base import Frozen, Value

NetworkType = Literal["none", "flat", "vlan", "vxlan", "gre"]
SecurityServiceType = Literal["ldap", "kerberos", "active_directory"]
ServerStatus = Literal["absent", "creating", "active", "deleting", "deleted", "error"]
NetworkStatus = Literal["absent", "active", "deleted"]
SEGMENTS: dict[str, int] = {"vlan": 4094, "vxlan": 16_777_215, "gre": 4_294_967_295}
"""The greatest segmentation id of each type that has one; the least is 1."""


class SecurityService(Value):
    """What the servers of a share network authenticate against (Manila's security service).

    `password` is sealed (`secrets.Sealer`) wherever this is recorded; only a driver gets it in plain.
    """

    id: str
    type: SecurityServiceType
    name: str | None = None
    dns_ip: str | None = None
    server: str | None = None
    domain: str | None = None
    ou: str | None = None
    user: str | None = None
    password: Annotated[str | None, Field(repr=False)] = None


class Network(Frozen):
    """Where addresses come from: a CIDR, its gateway, and the segment of the fabric."""

    cidr: str
    gateway: str | None = None
    network_type: NetworkType = "none"
    segmentation_id: int | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        try:
            whole = ip_network(self.cidr)
        except ValueError as error:
            raise ValueError(f"cidr: {error}") from None
        if self.gateway is not None:
            _within(self.gateway, str(whole))
        _segment(self.network_type, self.segmentation_id)
        return self


def _within(gateway: str, cidr: str) -> None:
    try:
        inside = ip_address(gateway) in ip_network(cidr)
    except ValueError as error:
        raise ValueError(f"gateway: {error}") from None
    if not inside:
        raise ValueError(f"gateway: {gateway} is not an address of {cidr}")


def _segment(kind: NetworkType, segment: int | None) -> None:
    largest = SEGMENTS.get(kind)
    if largest is None:
        if segment is not None:
            raise ValueError(f"segmentation_id: a network of type {kind} has none, not {segment}")
    elif segment is None:
        raise ValueError(f"segmentation_id: a network of type {kind} needs one, 1 to {largest}")
    elif not 1 <= segment <= largest:
        raise ValueError(f"segmentation_id: {segment} of a {kind} network is not 1 to {largest}")


class ServerSlot(Frozen):
    """A share server as its network knows it: for which backend, and whether more shares may go there."""

    backend: str
    open: bool = True


class ShareNetwork(Value):
    """A tenant's network, by Manila's names. `allocations` are addresses by the server that has them."""

    id: str = ""
    name: str | None = None
    description: str | None = None
    project_id: str = ""
    user_id: str = ""
    cidr: str = ""
    gateway: str | None = None
    network_type: NetworkType = "none"
    segmentation_id: int | None = None
    security_services: tuple[SecurityService, ...] = ()
    created_at: datetime | None = None
    status: NetworkStatus = "absent"
    allocations: dict[str, tuple[str, ...]] = {}
    servers: dict[str, ServerSlot] = {}
    shares: dict[str, str] = {}
    """Which server each share is meant to be on, by ids."""


class NetworkInfo(Value):
    """What `ShareDriver.setup_server` is given, by the keys of Manila's `network_info`."""

    server_id: str
    backend_name: str
    network_id: str
    cidr: str
    gateway: str | None = None
    network_type: NetworkType = "none"
    segmentation_id: int | None = None
    network_allocations: tuple[str, ...] = ()
    """IP addresses."""
    security_services: tuple[SecurityService, ...] = ()


class ShareServer(Value):
    """A share server, by Manila's names. `backend_details` is what its driver's set-up returned."""

    id: str = ""
    host: str = ""
    share_network_id: str = ""
    project_id: str = ""
    status: ServerStatus = "absent"
    status_reason: str | None = None
    created_at: datetime | None = None
    unused_since: datetime | None = None
    """When its last share left it; None while it has shares."""
    network_allocations: tuple[str, ...] = ()
    backend_details: dict[str, str] = {}
    shares: tuple[str, ...] = ()

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.host.partition("#")[0]
