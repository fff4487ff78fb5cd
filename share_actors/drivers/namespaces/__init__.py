"""Networks of share servers on one Linux machine: a namespace for each server, a bridge for each segment."""

from __future__ import annotations

from share_actors.drivers.namespaces.commands import Ip
from share_actors.drivers.namespaces.names import Names, default_prefix
from share_actors.drivers.namespaces.network import ServerNetwork, Vlan
from share_actors.drivers.namespaces.strays import Strays, delete_strays, find_strays

__all__ = [
    "Ip",
    "Names",
    "ServerNetwork",
    "Strays",
    "Vlan",
    "default_prefix",
    "delete_strays",
    "find_strays",
]
