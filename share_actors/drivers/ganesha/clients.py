"""Who is connected to one NFS-Ganesha: its connections now, and what it counted for each address."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from share_actors.drivers.ganesha.bus import Daemon
from share_actors.drivers.ganesha.rules import network_of
from share_actors.values import ShareClient

_ESTABLISHED = "01"


def clients_of(daemon: Daemon, rules: Mapping[str, str], port: int) -> tuple[ShareClient, ...]:
    """The clients that *rules* let in and that are connected to *port* of the daemon now, by address.

    The daemon remembers clients that have left, so that its own list alone does not tell.
    """
    networks = [network_of(client) for client in rules]
    connected = connected_to(daemon.pid, port)
    found = [
        _client(daemon, name, protocols, active)
        for name, protocols, active in daemon.known_clients()
        if (address := plain_address(name)) in connected
        and any(ipaddress.ip_address(address) in network for network in networks)
    ]
    return tuple(sorted(found, key=lambda client: client.address))


def _client(daemon: Daemon, name: str, protocols: Iterable[str], active: float) -> ShareClient:
    counted = [daemon.client_io(name, protocol) for protocol in protocols]
    return ShareClient(
        address=plain_address(name),
        protocol=", ".join(protocols),
        last_active=datetime.fromtimestamp(active, UTC),
        bytes_read=sum(io.bytes_read for io in counted),
        bytes_written=sum(io.bytes_written for io in counted),
        operations=sum(io.operations for io in counted),
        of_all_shares=True,
    )


def plain_address(text: str) -> str:
    """The address in *text*; an IPv4 address in IPv6 form is an IPv4 address."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def connected_to(pid: int, port: int) -> frozenset[str]:
    """The addresses with an open TCP connection to *port*, in the network of the process *pid*."""
    return frozenset(
        remote
        for family in ("tcp", "tcp6")
        for local_port, remote in _connections(Path(f"/proc/{pid}/net/{family}"))
        if local_port == port
    )


def _connections(table: Path) -> Iterator[tuple[int, str]]:
    """The local port and the remote address of each open connection in the kernel's *table*."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:  # no IPv6, or the process has ended
        return
    for line in lines:
        _, local, remote, state, *_ = line.split()
        if state == _ESTABLISHED:
            yield int(local.rpartition(":")[2], 16), _address(remote.partition(":")[0])


def _address(digits: str) -> str:
    """The address in the kernel's hexadecimal *digits*: words of four bytes, each in the host's order."""
    words = (
        int(digits[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(digits), 8)
    )
    packed = b"".join(words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return plain_address(socket.inet_ntop(family, packed))
