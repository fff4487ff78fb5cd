"""The driver `btrfs-servers`: share servers in network namespaces, each with its own NFS-Ganesha.

Every share server is a `btrfs` backend of its own, with the address that its share network gave it, on one
filesystem that all of them share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from share_actors.drivers.base import DriverError, Exports, ShareServerSetUpFailed, TransientError
from share_actors.drivers.btrfs.driver import BtrfsDriver
from share_actors.drivers.btrfs_servers.backend import BtrfsServersBackend
from share_actors.drivers.fence import TOKEN, Fence, Overtaken, attempt_context
from share_actors.drivers.filesystem.server_addresses import segment_of
from share_actors.drivers.namespaces import ServerNetwork
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share, Snapshot


class BtrfsServersDriver(BtrfsServersBackend):
    """Share servers in namespaces, with subvolumes as shares."""

    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    """Of an object without `cifs_users`: NFS alone, and `ip` as the only type of rules."""
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user")
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = (
        BtrfsDriver.access_support
    )
    modes: ClassVar[tuple[bool, ...]] = (True,)
    public_details = frozenset({"address", "namespace", "bridge"})

    # -- addresses -----------------------------------------------------------------------------
    def get_network_allocations_number(self) -> int:
        """One address for each server."""
        return 1

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the address as in use; raises `DriverError` if another server on the segment uses it."""
        server_id = self._checked(share_server["id"])
        addresses, segment = share_server["network_allocations"], segment_of(share_network)
        with (
            self._server_lock("allocate network of server", server_id, context) as fence,
            self._networks_locked(),
        ):
            self._addresses.take(server_id, addresses, segment, fence.check)

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Remove the record of the server's address."""
        server_id = self._checked(share_server_id)
        with self._server_lock("deallocate network of server", server_id, context):
            self._addresses.release(server_id)

    # -- share servers -------------------------------------------------------------------------
    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Make the server's network and start its NFS server; completes what an earlier attempt began."""
        server_id = self._checked(network_info["server_id"])
        network: ServerNetwork | None = None
        try:
            network = self._planned(server_id, network_info)
            context = attempt_context(metadata)
            with self._server_lock("set up server", server_id, context) as fence:
                self._set_up(server_id, network, fence)
        except (Overtaken, TransientError):
            raise
        except DriverError as error:
            details = {} if network is None else _details(network)
            raise ShareServerSetUpFailed(str(error), details) from error
        return _details(network)

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Remove the server with its network, unless it has shares; can be repeated from any step."""
        server_id = self._checked(server_details["server_id"])
        context = attempt_context(server_details, TOKEN)
        with self._server_lock("tear down server", server_id, context) as fence:
            self._filesystem.must_run()
            self._refuse_if_used(server_id)
            fence.check()
            self._servers.revoke(server_id)
            if self._servers.path(server_id).is_dir():
                self._stop_server(server_id)
            fence.check()
            self._remove_network(server_id)
            self._filesystem.pool_of(server_id).clear(fence.check)
            fence.check()
            self._servers.remove(server_id)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports | None:
        """Make sure that the server has its network and runs, then that *share* is exported by it."""
        shares = self._on(share_server)
        network = self._servers.network(shares.server_id)
        if network is not None and network.problems(self._ip):
            self._start_again(shares.server_id)
        return shares.ensure_share(context, share)

    # -- snapshots -----------------------------------------------------------------------------
    def snapshot_update_access(
        self,
        context: RequestContext,
        snapshot: Snapshot,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        share_server: Any = None,
    ) -> RuleUpdates:
        """Export the snapshot by the server of its share to exactly *access_rules*."""
        server = self._on(share_server)
        return server.snapshot_update_access(
            context, snapshot, access_rules, add_rules, delete_rules
        )

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> Sequence[ExportLocation]:
        """Where clients mount the snapshot; none if it is not exported."""
        return self._on(share_server).snapshot_export_locations(context, snapshot)

    # ------------------------------------------------------------------------------------------
    def _set_up(self, server_id: str, network: ServerNetwork, fence: Fence) -> None:
        self._filesystem.must_run()
        before = self._servers.network(server_id)
        if before is not None and before != network:  # the options have changed since
            fence.check()
            self._servers.revoke(server_id)
            self._stop_server(server_id)
            self._remove_network(server_id)
        fence.check()
        self._servers.begin(server_id, network)
        fence.check()
        self._start(server_id, network)
        fence.check()
        self._servers.complete(server_id)

    def _refuse_if_used(self, server_id: str) -> None:
        pool = self._filesystem.pool_of(server_id)
        if share_ids := pool.names("shares"):
            raise DriverError(f"share server {server_id} has shares: {', '.join(share_ids)}")
        if snapshots := pool.names("snapshots"):
            raise DriverError(f"share server {server_id} has snapshots: {', '.join(snapshots)}")


def _details(network: ServerNetwork) -> dict[str, str]:
    return {
        "address": network.address,
        "namespace": network.name,
        "bridge": network.bridge,
    }
