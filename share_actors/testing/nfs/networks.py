"""A network of namespaces: one for servers, with a bridge, and one for each client's address."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from secrets import token_hex

from share_actors.testing.leftovers import NAMESPACES, own_prefix, remove_namespace

SERVER = ("10.99.7.1", "fd99::701")
"""The addresses of the server, one of each family."""
CLIENTS = (("10.99.7.3", "fd99::703"), ("10.99.7.4", "fd99::704"))
"""The addresses of the clients, one of each family."""
_PREFIXES = (16, 64)
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class ClientNetwork:
    """The namespaces of the network, by name."""

    server: str
    clients: dict[str, str]
    """The namespace of each client address."""

    def enter(self, client: str) -> None:
        """Move the calling thread into the network of the *client*; its new sockets are there."""
        enter(self.clients[client])


def enter(namespace: str) -> None:
    """Move the calling thread into the network namespace; raises `OSError`."""
    fd = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        if _libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(fd)


@contextmanager
def client_network() -> Iterator[ClientNetwork]:
    """A network that is removed with all its processes at the end of the block."""
    own = f"{token_hex(2)}-"  # a process may have several networks
    with ExitStack() as made:
        server = _namespace(made, f"{own}server")
        _run("-n", server, "link", "add", "clients", "type", "bridge")
        _configure(server, "clients", SERVER)
        yield ClientNetwork(server, _clients(made, "clients", f"{own}client", server))


@contextmanager
def clients_on(bridge: str, server: str) -> Iterator[ClientNetwork]:
    """A network with the clients `CLIENTS` on a *bridge* of this machine; *server* is the server's namespace.

    The clients are removed at the end of the block; the rest is not touched.
    """
    with ExitStack() as made:
        yield ClientNetwork(server, _clients(made, bridge, f"{token_hex(4)}-"))


def _clients(made: ExitStack, bridge: str, role: str, server: str | None = None) -> dict[str, str]:
    """Make a namespace for each client, on the *bridge* that is in the namespace *server*, or in none."""
    clients = {}
    within = () if server is None else ("netns", server)
    for n, addresses in enumerate(CLIENTS):
        client, end = _namespace(made, f"{role}{n}"), f"{role}{n}"
        _run("link", "add", "eth0", "netns", client, "type", "veth", "peer", "name", end, *within)
        if server is None:  # a bridge has its members for a while after their namespaces are gone
            made.callback(_unlink, end)
        _run(*(("-n", server) if server else ()), "link", "set", end, "master", bridge, "up")
        _configure(client, "eth0", addresses)
        clients.update(dict.fromkeys(addresses, client))
    return clients


def _namespace(made: ExitStack, role: str) -> str:
    name = f"{own_prefix()}{role}"
    _run("netns", "add", name)
    made.callback(remove_namespace, name)
    _run("-n", name, "link", "set", "lo", "up")
    return name


def _configure(namespace: str, interface: str, addresses: tuple[str, str]) -> None:
    for address, prefix in zip(addresses, _PREFIXES, strict=True):
        no_wait = ("nodad",) if ":" in address else ()
        _run("-n", namespace, "address", "add", f"{address}/{prefix}", "dev", interface, *no_wait)
    _run("-n", namespace, "link", "set", interface, "up")


def _unlink(interface: str) -> None:
    """Remove the interface, unless it is gone."""
    subprocess.run(["ip", "link", "delete", interface], check=False, capture_output=True)


def _run(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
