"""IP addresses and networks: one spelling of each; raises ValueError with what is wrong."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

MAX_LENGTH = 64
"""No spelling of an address or a network is longer."""
MAX_PORT = 65535
_MAPPED = 96
"""Networks below ::ffff:0:0/96 are IPv4 in IPv6's spelling."""


def network(text: str) -> IPv4Network | IPv6Network:
    """The network *text*: an address, or an address with the length of its prefix or its netmask."""
    _check_spelling(text)
    parsed = _exact_network(text)
    if isinstance(parsed, IPv6Network) and parsed.prefixlen >= _MAPPED:
        _check_not_mapped(parsed.network_address)
    return parsed


def _exact_network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        try:
            whole = ip_network(text, strict=False)
        except ValueError:
            raise error from None
    raise ValueError(f"{text} has host bits set: write {whole} for the whole network")


def address(text: str) -> IPv4Address | IPv6Address:
    """The address *text*."""
    _check_spelling(text)
    parsed = ip_address(text)
    if isinstance(parsed, IPv6Address):
        _check_not_mapped(parsed)
    return parsed


def normal_client(text: str) -> str:
    """The client *text* of an access rule: an address by itself, or a network with its prefix."""
    parsed = network(text)
    alone = parsed.prefixlen == parsed.max_prefixlen
    return str(parsed.network_address) if alone else str(parsed)


def _check_spelling(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"has {len(text)} characters, and may have at most {MAX_LENGTH}")
    if "%" in text:
        raise ValueError("has a zone, which means something on one machine only")


def _check_not_mapped(parsed: IPv6Address) -> None:
    if parsed.ipv4_mapped is not None:
        raise ValueError(f"is an IPv4 address in IPv6's spelling: write {parsed.ipv4_mapped}")


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of `HOST:PORT`; an IPv6 address is in brackets."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(address(host[1:-1]))
    elif not colon or not host or ":" in host or any(c.isspace() for c in host):
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
    if not (port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise ValueError(f"has the port {port!r}, which is not a number from 0 to {MAX_PORT}")
    return host, int(port)
