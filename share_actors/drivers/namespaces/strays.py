"""Namespaces and interfaces with a backend's prefix that no share server of it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from share_actors.drivers.namespaces.commands import Ip
from share_actors.drivers.namespaces.names import Names
from share_actors.drivers.namespaces.network import (
    NAMESPACES,
    ServerNetwork,
    is_interface,
    remove_bridge,
    remove_interface,
    remove_namespace,
)
from share_actors.values import Frozen


class Strays(Frozen):
    """What a killed process, or a root that was removed by hand, has left."""

    namespaces: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    """Ends of servers' interfaces, and uplinks of VLANs."""
    bridges: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.namespaces or self.interfaces or self.bridges)


def find_strays(ip: Ip, names: Names, live: Callable[[], Iterable[ServerNetwork]]) -> Strays:
    """All that has the prefix of *names* and belongs to none of the *live* networks.

    Those are read after all else: a network is recorded before its first part is made, and until after its
    last part is removed.
    """
    namespaces = _namespaces(names)
    links = [each for each in ip.objects("link", "show") if names.is_own(each["ifname"])]
    bridges = {each["ifname"] for each in links if _kind(each) == "bridge"}
    others = {each["ifname"] for each in links} - bridges
    networks = tuple(live())
    kept = {network.name for network in networks}
    uplinks = {network.vlan.name for network in networks if network.vlan}
    return Strays(
        namespaces=tuple(sorted(namespaces - kept)),
        interfaces=tuple(sorted(others - kept - uplinks)),
        bridges=tuple(sorted(bridges - {network.bridge for network in networks})),
    )


def delete_strays(ip: Ip, strays: Strays) -> None:
    """Delete *strays*, with the processes in the namespaces; a bridge stays while it has other members.

    Raises `DriverError`.
    """
    for name in strays.namespaces:
        remove_namespace(ip, name)
    for name in strays.interfaces:
        remove_interface(ip, name)
    for name in strays.bridges:
        if is_interface(name):
            remove_bridge(ip, name, None)


def _kind(link: dict[str, dict[str, str]]) -> str | None:
    return link.get("linkinfo", {}).get("info_kind")


def _namespaces(names: Names) -> set[str]:
    with suppress(FileNotFoundError):
        return {path.name for path in NAMESPACES.iterdir() if names.is_own(path.name)}
    return set()
