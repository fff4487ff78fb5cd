"""What all parts of the driver `btrfs-servers` use: options, locks, and the plans of networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from share_actors.drivers.base import DriverError
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs_servers.filesystem import SharedFilesystem
from share_actors.drivers.btrfs_servers.options import BtrfsServersOptions
from share_actors.drivers.btrfs_servers.servers import Servers
from share_actors.drivers.btrfs_servers.shares import SharesOfServer
from share_actors.drivers.fence import Fence, Fences
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.filesystem.server_addresses import ServerAddresses
from share_actors.drivers.namespaces import Ip, Names, ServerNetwork, Vlan
from share_actors.drivers.namespaces.commands import locked_ip
from share_actors.drivers.on_servers import SharesOnServers
from share_actors.drivers.requirements import Requirement, server_requirements
from share_actors.values import RequestContext

NO_CONTEXT = RequestContext()
_NETWORKS = "@networks"
"""The lock of all namespaces, interfaces and addresses; no server has this id."""


class BtrfsServersBase(SharesOnServers):
    """One filesystem, and the servers that have shares on it."""

    Options = BtrfsServersOptions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(BtrfsServersOptions, self.configuration)
        self._filesystem = SharedFilesystem(
            configuration=self._options.of_filesystem(), backend_name=self.backend_name
        )
        self._servers = Servers(self._options.root)
        self._names = Names(self._options.names_prefix)
        self._addresses = ServerAddresses(self._options.root / "networks")
        self._fences = Fences(self._options.root / "networks")
        self._ip = Ip()
        if not self._options.cifs_users:
            vars(self).update(protocols=("NFS",), access_types=("ip",))  # of this object alone

    @property
    def refuses_late_calls(self) -> bool:
        """True: see `drivers.fence`."""
        return True

    def exclusive_directories(self) -> dict[str, Path]:
        """The root; the filesystem itself has a file that names the root which uses it."""
        return {"root": self._options.root}

    def exclusive_names(self) -> dict[str, str]:
        """The device, and what the names of namespaces and interfaces begin with."""
        return {
            "device": f"device {self._options.device}",
            "prefix": f"prefix {self._options.names_prefix} of namespaces and interfaces",
        }

    def requirements(self) -> Sequence[Requirement]:
        """What btrfs, the daemons and namespaces need (`abilities.StatesRequirements`).

        Ports are examined in the namespace of each server that is set up.
        """
        found = self._filesystem.requirements()
        own = [each for each in found if not is_about_port(each)]
        networks = server_requirements(vlans=self._options.uplink is not None)
        return (*own, *networks, *self._ports())

    def _ports(self) -> Sequence[Requirement]:
        """The ports of the servers that are set up, or that there are none."""
        servers = [self._shares(server_id) for server_id in self._servers.set_up_ids()]
        found = [each for server in servers for each in server.requirements()]
        return [each for each in found if is_about_port(each)] or [
            Requirement(
                what="ports of share servers",
                why="clients reach each share server there",
                met=True,
                found="no share server is set up; in the namespace of a new one all ports are free",
            )
        ]

    # ------------------------------------------------------------------------------------------
    def _on(self, share_server: Any) -> SharesOfServer:
        """The driver of the shares on *share_server*; raises `DriverError` unless it is set up."""
        if share_server is None:
            raise DriverError("a share server is required")
        server_id = self._checked(share_server["id"])
        if not self._servers.is_set_up(server_id):
            raise DriverError(f"share server {server_id} is not set up")
        return self._shares(server_id)

    def _shares(self, server_id: str) -> SharesOfServer:
        """The driver of the shares on the server, which may be set up in part."""
        network = self._servers.network(server_id)
        address = "127.0.0.1" if network is None else network.address.partition("/")[0]
        options = self._options.of_server(server_id, address, self._names.server(server_id))
        pool = self._filesystem.pool_of(server_id)
        return SharesOfServer(pool, configuration=options, backend_name=self.backend_name)

    def _checked(self, server_id: Any) -> str:
        return checked_id("share server", str(server_id))

    def _planned(self, server_id: str, network_info: Any) -> ServerNetwork:
        """The network that the server is to have; raises `DriverError` if it cannot have one."""
        addresses = network_info["network_allocations"]
        if not addresses:
            raise DriverError(
                f"share server {server_id} has no address: share network {network_info['network_id']}"
                " allocated none"
            )
        prefix = ipaddress.ip_network(network_info["cidr"], strict=False).prefixlen
        return ServerNetwork(
            name=self._names.server(server_id),
            bridge=self._names.bridge(network_info),
            address=f"{addresses[0]}/{prefix}",
            gateway=network_info["gateway"],
            vlan=self._vlan(network_info),
        )

    def _vlan(self, network_info: Any) -> Vlan | None:
        """The VLAN of the network on the uplink; raises `DriverError` for a network that it cannot carry."""
        kind, number = network_info["network_type"], network_info["segmentation_id"]
        if self._options.uplink is None:
            return None
        if kind != "vlan" or number is None or not 1 <= number <= 4094:
            raise DriverError(
                f"share network {network_info['network_id']} has network_type {kind!r} and segmentation_id"
                f" {number}: uplink {self._options.uplink!r} carries networks of type 'vlan' with an id of"
                " 1 to 4094 alone. Use such a network, or a backend without uplink"
            )
        return Vlan(name=self._names.uplink(number), parent=self._options.uplink, number=number)

    @contextmanager
    def _server_lock(
        self, operation: str, server_id: str, context: RequestContext = NO_CONTEXT
    ) -> Iterator[Fence]:
        """Lock the server: the thread of an abandoned attempt may still be running."""
        with (
            btrfs_errors(f"{operation} {server_id}"),
            self._fences.enter(server_id, context) as fence,
            self._servers.folder("locks") as folder,
            locked(folder, server_id) as lock,
        ):
            fence.check()
            try:
                yield fence
            finally:
                if not self._servers.path(server_id).exists():
                    lock.discard()

    @contextmanager
    def _networks_locked(self) -> Iterator[Ip]:
        """Lock all namespaces, interfaces and addresses; yields what changes them under this lock."""
        with self._servers.folder("locks") as folder, locked_ip(folder, _NETWORKS) as ip:
            yield ip


def is_about_port(requirement: Requirement) -> bool:
    """Whether the requirement is that a port is free."""
    return requirement.what.startswith("port ")
