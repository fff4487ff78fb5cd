"""Starting, ending and examining a `btrfs-servers` backend, and what is on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from share_actors.drivers.abilities import BackendObject
from share_actors.drivers.at_once import for_all
from share_actors.drivers.base import DriverError
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs_servers.base import NO_CONTEXT, BtrfsServersBase
from share_actors.drivers.namespaces import ServerNetwork, delete_strays, find_strays
from share_actors.drivers.namespaces.network import remove_namespace
from share_actors.values import Capabilities, RequestContext, Share, ShareClient


class BtrfsServersBackend(BtrfsServersBase):
    """The methods of `BtrfsServersDriver` about the whole backend, and the start and stop of servers."""

    def do_setup(self, context: RequestContext) -> None:
        """Create the directories of the root; nothing is mounted or started."""
        with btrfs_errors(f"set up {self._options.root}"):
            self._servers.prepare()
            self._filesystem.do_setup(context)
            self._fences.forget_old(self._options.root / "servers")

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` for what this machine lacks."""
        self._filesystem.check_for_setup_error()

    def setup_warnings(self) -> tuple[str, ...]:
        """That another kind of quota is in force, or that no client outside this machine is served."""
        found = self._filesystem.setup_warnings()
        if self._options.uplink is None:
            text = "uplink is not set: share servers are reached from this machine alone"
            return (*found, f"{self.backend_name}: {text}")
        return found

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """The capacity of the filesystem and the limits of all shares on all servers."""
        found = self._filesystem.get_share_stats(refresh)
        servers = {"share_servers": len(self._servers.set_up_ids())}
        return found.replace(
            driver_name="btrfs-servers",
            driver_handles_share_servers=True,
            storage_protocols=self.protocols,
            access_types=self.access_types,
            pools=tuple(pool.replace(capabilities=servers) for pool in found.pools),
        )

    def get_pool(self, share: Share) -> str:
        """The only pool, named after the backend."""
        return self.backend_name

    def get_backend_info(self, context: RequestContext) -> dict[str, str]:
        """What export locations consist of, but for the addresses of the servers."""
        options = self._options
        return {
            "nfs_port": str(options.nfs_port),
            "mount_port": str(options.mount_port),
            "versions": ",".join(map(str, options.versions)),
            "cifs_port": str(options.cifs_port),
        }

    def list_backend(self, context: RequestContext) -> Sequence[BackendObject]:
        """Every share and snapshot on every server that is set up."""
        servers = {server_id: self._shares(server_id) for server_id in self._servers.set_up_ids()}
        return [
            found.replace(share_server_id=server_id)
            for server_id, server in servers.items()
            for found in server.list_backend(context)
        ]

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The bytes that count for each share that exists."""
        used: dict[str, int] = {}
        for server_id in dict.fromkeys(share.share_server_id for share in shares):
            if server_id is not None and self._servers.is_set_up(server_id):
                own = [share for share in shares if share.share_server_id == server_id]
                used |= self._shares(server_id).get_share_usage(own)
        return used

    def get_share_clients(self, share: Share) -> Sequence[ShareClient]:
        """The clients that are connected to the share by its server (`abilities.ReportsClients`)."""
        server_id = share.share_server_id
        if server_id is None or not self._servers.is_set_up(server_id):
            return ()
        return self._shares(server_id).get_share_clients(share)

    # -- RunsDaemons ---------------------------------------------------------------------------
    def start_backend(self, context: RequestContext) -> None:
        """Mount the filesystem, and start every server that is set up, with its network, some at a time.

        Raises `DriverError` if one does not start, after the others were started.
        """
        self.do_setup(context)
        self._filesystem.start_backend(context)
        for_all(self._servers.set_up_ids(), self._start_again)

    def stop_backend(self, context: RequestContext) -> None:
        """End all servers with their networks, and unmount everything; the shares stay."""
        self.do_setup(context)
        for_all(list(self._servers.networks()), self._stop, at_once=1)
        self._filesystem.stop_backend(context)

    def check_health(self) -> tuple[str, ...]:
        """What is wrong with the filesystem and with each server."""
        found = [*self._filesystem.check_health()]
        if self._filesystem.is_mounted:
            for server_id in self._servers.set_up_ids():
                problems = self._problems(server_id)
                if self._servers.is_set_up(server_id):  # else it was just torn down
                    found += [f"share server {server_id}: {problem}" for problem in problems]
        return tuple(found)

    def strays(self, *, delete: bool = False) -> tuple[str, ...]:
        """The namespaces and interfaces with this backend's prefix that no server has (`FindsStrays`)."""
        found = find_strays(self._ip, self._names, self._networks)
        if found and delete:
            with btrfs_errors("delete strays"):
                self._servers.prepare()
                with self._networks_locked() as ip:
                    found = find_strays(ip, self._names, self._networks)
                    delete_strays(ip, found)
        return (
            *(f"network namespace {name}" for name in found.namespaces),
            *(f"interface {name}" for name in found.interfaces),
            *(f"bridge {name}" for name in found.bridges),
        )

    def _networks(self) -> Iterable[ServerNetwork]:
        return self._servers.networks().values()

    # -- one server ----------------------------------------------------------------------------
    def _start(self, server_id: str, network: ServerNetwork) -> None:
        """Make the network and start the daemons; those of a namespace that is gone are ended first."""
        shares = self._shares(server_id)
        if not network.is_there:
            shares.stop_backend(NO_CONTEXT)
        with self._networks_locked() as ip:
            network.build(ip)
        shares.start_backend(NO_CONTEXT)

    def _stop_server(self, server_id: str) -> None:
        self._shares(server_id).stop_backend(NO_CONTEXT)

    def _remove_network(self, server_id: str) -> None:
        network = self._servers.network(server_id)
        with self._networks_locked() as ip:
            if network is None:
                remove_namespace(ip, self._names.server(server_id))
            else:
                network.remove(ip)

    def _start_again(self, server_id: str) -> None:
        with self._server_lock("start server", server_id):
            network = self._servers.network(server_id)
            if network is not None and self._servers.is_set_up(server_id):
                self._start(server_id, network)

    def _stop(self, server_id: str) -> None:
        with self._server_lock("stop server", server_id):
            self._stop_server(server_id)
            self._remove_network(server_id)

    def _problems(self, server_id: str) -> tuple[str, ...]:
        network = self._servers.network(server_id)
        if network is None:
            return ()
        try:
            return (*network.problems(self._ip), *self._shares(server_id).problems())
        except DriverError as error:
            return (str(error),)
