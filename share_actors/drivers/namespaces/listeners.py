"""Who holds a port in a network namespace; reads /proc alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.namespaces.network import NAMESPACES

_PROC = Path("/proc")
_LISTENS, _UNCONNECTED = "0A", "07"
"""The states of sockets that wait for clients, of TCP and of UDP (`include/net/tcp_states.h`)."""
_TABLES = {"tcp": _LISTENS, "tcp6": _LISTENS, "udp": _UNCONNECTED, "udp6": _UNCONNECTED}


def processes_holding(port: int, namespace: str) -> list[int | None]:
    """The ids of the processes in *namespace* that hold *port*; None for one that cannot be seen.

    A namespace without processes, or that does not exist, holds no port.
    """
    processes = list(_processes_in(namespace))
    sockets = next((found for pid in processes if (found := _sockets(pid, port))), set())
    holders = {pid: sockets & _sockets_of(pid) for pid in processes}
    unknown = sockets.difference(*holders.values())
    seen: list[int | None] = [pid for pid, held in holders.items() if held]
    return [*seen, None] if unknown else seen


def _processes_in(namespace: str) -> Iterator[int]:
    with suppress(FileNotFoundError):
        wanted = (NAMESPACES / namespace).stat().st_ino
        for process in _PROC.glob("[0-9]*"):
            with suppress(OSError):
                if (process / "ns/net").stat().st_ino == wanted:
                    yield int(process.name)


def _sockets(pid: int, port: int) -> set[str]:
    """The inodes of the sockets that wait on *port* in the network namespace of the process."""
    found = set()
    for table, state in _TABLES.items():
        with suppress(OSError):
            lines = (_PROC / str(pid) / "net" / table).read_text(encoding="ascii").splitlines()
            for fields in map(str.split, lines[1:]):
                if fields[3] == state and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _sockets_of(pid: int) -> set[str]:
    """The inodes of all sockets that the process has open."""
    found = set()
    with suppress(OSError):
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    return found
