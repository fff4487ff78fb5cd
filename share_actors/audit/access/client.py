"""Clients: what a question is about, and which rules name it."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, NamedTuple, get_args

from share_actors.errors import InvalidRequest, showable, shown
from share_actors.values import AccessType

Network = IPv4Network | IPv6Network
_MAPPED = 0xFFFF
_MAX_LENGTH = 1024
_CLIENT = "client"


class AccessClient(NamedTuple):
    """An address, a network, a user or group (`@staff`), the name of a certificate or a ceph id."""

    access_type: AccessType
    name: str
    network: Network | None = None

    @property
    def is_single(self) -> bool:
        """Whether it is one address or name, for which one rule decides at a time."""
        return self.network is None or self.network.prefixlen == self.network.max_prefixlen

    def named_by(self, access_type: str, access_to: str) -> Literal["all", "part"] | None:
        """Whether a rule names *all* of the client, a *part* of a network, or does not name it."""
        if access_type != self.access_type:
            return None
        if self.network is None:
            return "all" if access_to == self.name else None
        other = network_of(access_to)
        if other is None or other.version != self.network.version:
            return None
        if contains(other, self.network):
            return "all"
        return "part" if contains(self.network, other) else None


def parse_client(text: str, field: str = _CLIENT) -> AccessClient:
    """The client *text*: an address or network, a user's name, or `TYPE:NAME`, as `cert:host-1`.

    Raises `InvalidRequest` with *field*.
    """
    kind, colon, name = text.partition(":")
    if colon and kind in get_args(AccessType) and kind != "ip":
        return AccessClient(_typed(kind), _checked(name, text, field))
    address = name if colon and kind == "ip" else text
    network = network_of(address)
    if network is not None:
        return AccessClient("ip", _spelled(network), network)
    if (colon and kind == "ip") or _looks_like_address(address):
        raise InvalidRequest(
            f"{field}: {shown(text)} is not an address, nor a network without host bits; a user is"
            " user:NAME",
            field=field,
            value=showable(text),
        )
    return AccessClient("user", _checked(text, text, field))


def _typed(kind: str) -> AccessType:
    return next(known for known in get_args(AccessType) if known == kind)


def _checked(name: str, text: str, field: str) -> str:
    if name and len(name) <= _MAX_LENGTH and name.isprintable():
        return name
    raise InvalidRequest(
        f"{field}: {shown(text)} is not a client: give an address, a network, a user's name or TYPE:NAME",
        field=field,
        value=showable(text),
    )


def _looks_like_address(text: str) -> bool:
    return ":" in text or "/" in text or text.replace(".", "").isdecimal()


@lru_cache(maxsize=65_536)
def network_of(text: str) -> Network | None:
    """The network *text*; an IPv4 one in IPv6's spelling is an IPv4 network. None if it is no network."""
    if "%" in text or len(text) > _MAX_LENGTH:
        return None
    try:
        network = ip_network(text)
    except ValueError:
        return None
    number = int(network.network_address)
    if network.version == 6 and network.prefixlen >= 96 and number >> 32 == _MAPPED:
        return IPv4Network((number & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def contains(outer: Network, inner: Network) -> bool:
    """Whether all addresses of *inner* are in *outer*, which is of the same version."""
    shift = outer.max_prefixlen - outer.prefixlen
    if outer.prefixlen > inner.prefixlen:
        return False
    return int(outer.network_address) >> shift == int(inner.network_address) >> shift


def _spelled(network: Network) -> str:
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)
