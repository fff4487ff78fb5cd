"""Share networks, their security services, and share servers."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from share_actors.values.base import Frozen, Value
from share_actors.values.checks import addresses
from share_actors.values.checks.fields import Address, Cidr
from share_actors.values.checks.ids import is_id
from share_actors.values.checks.limits import SERVICE_TEXT
from share_actors.values.checks.text import PartError, check_part
from share_actors.values.secret import SecretText

NetworkType = Literal["none", "flat", "vlan", "vxlan", "gre"]
SecurityServiceType = Literal["ldap", "kerberos", "active_directory"]
ServerStatus = Literal[
    "absent",
    "creating",
    "active",
    "deleting",
    "deleted",
    "error",
    "unmanage_starting",
    "unmanaged",
]
NetworkStatus = Literal["absent", "active", "deleted"]
SEGMENTS: dict[str, int] = {"vlan": 4094, "vxlan": 16_777_215, "gre": 4_294_967_295}
"""The largest segmentation id of each network type that has one; the smallest is 1."""
SegmentationId = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
_POINT_TO_POINT = 31
"""IPv4 networks of this prefix and longer have no broadcast address (RFC 3021)."""


class SecurityService(Value):
    """The directory service that a share network's servers authenticate against, as in Manila.

    `password` is `Sealed` in every event and view; only a driver gets the plain text, as a `Secret`.
    """

    id: str
    type: SecurityServiceType
    name: str | None = None
    dns_ip: str | None = None
    server: str | None = None
    domain: str | None = None
    ou: str | None = None
    user: str | None = None
    password: Annotated[SecretText | None, Field(repr=False)] = None


def check_service(service: SecurityService) -> SecurityService:
    """*service* as a command may add it; raises `PartError`."""
    if not is_id(service.id):
        raise PartError("is not an id", part="service.id", value=service.id)
    for part in ("name", "dns_ip", "server", "domain", "ou", "user"):
        if (value := getattr(service, part)) is not None:
            check_part(f"service.{part}", value, SERVICE_TEXT)
    return service


class Network(Frozen):
    """A subnet: its CIDR, gateway, and segment. Raises ValueError, with the field, for invalid values."""

    cidr: Cidr
    gateway: Address | None = None
    network_type: NetworkType = "none"
    segmentation_id: SegmentationId | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.gateway is not None:
            _check_gateway(self.gateway, addresses.network(self.cidr))
        _check_segment(self.network_type, self.segmentation_id)
        return self


def _check_gateway(gateway: str, subnet: IPv4Network | IPv6Network) -> None:
    """Raise ValueError unless *gateway* can be one, as by `neutron.ipam.utils`."""
    address = addresses.address(gateway)
    if address not in subnet:
        raise ValueError(f"gateway: {gateway} is not an address of {subnet}")
    ends = (subnet.network_address, subnet.broadcast_address)
    if isinstance(subnet, IPv4Network) and subnet.prefixlen < _POINT_TO_POINT and address in ends:
        raise ValueError(f"gateway: {gateway} is the network's own or broadcast address")


def _check_segment(kind: NetworkType, segment: int | None) -> None:
    largest = SEGMENTS.get(kind)
    if largest is None:
        if segment is not None:
            raise ValueError(f"segmentation_id: a network of type {kind} has none, got {segment}")
    elif segment is None:
        raise ValueError(f"segmentation_id: a network of type {kind} needs one, 1 to {largest}")
    elif not 1 <= segment <= largest:
        raise ValueError(f"segmentation_id: {segment} of a {kind} network is not 1 to {largest}")


class ServerSlot(Frozen):
    """A share server in its share network: its backend, and whether more shares may be assigned to it."""

    backend: str
    open: bool = True


class ShareNetwork(Value):
    """A tenant's network, with Manila's field names. `allocations` are IP addresses by server id."""

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
    allocations: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    servers: dict[str, ServerSlot] = Field(default_factory=dict)
    shares: dict[str, str] = Field(default_factory=dict)
    """The id of the server that each share is assigned to, by share id."""


class NetworkInfo(Value):
    """The argument of `ShareDriver.setup_server`, with the keys of Manila's `network_info`."""

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
    """A share server, with Manila's field names. `backend_details` is the result of `setup_server`.

    Those of the details that are not public are `Sealed`: see `ShareDriver.public_details`.
    """

    id: str = ""
    host: str = ""
    share_network_id: str = ""
    project_id: str = ""
    status: ServerStatus = "absent"
    status_reason: str | None = None
    created_at: datetime | None = None
    unused_since: datetime | None = None
    """When its last share was detached; None while it has shares."""
    network_allocations: tuple[str, ...] = ()
    backend_details: dict[str, SecretText] = Field(default_factory=dict)
    shares: tuple[str, ...] = ()

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.host.partition("#")[0]
