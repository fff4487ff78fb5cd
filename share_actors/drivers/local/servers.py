"""The driver `local-servers`: share servers as directories of this machine; the reference for DHSS.

It does not need root: a server is a directory with a file of its addresses, and its shares are those of a
`local` backend in that directory. The addresses are recorded, not configured on any network interface.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field

from share_actors.drivers.base import (
    DriverError,
    ShareServerSetUpFailed,
)
from share_actors.drivers.fence import TOKEN, Fence, Fences, Overtaken, attempt_context
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.reach import root_warnings
from share_actors.drivers.filesystem.server_addresses import ServerAddresses, segment_of
from share_actors.drivers.local.base import GIB, NO_CONTEXT, LocalOptions
from share_actors.drivers.local.driver import LocalDriver
from share_actors.drivers.local.server_directories import ServerDirectories
from share_actors.drivers.on_servers import SharesOnServers
from share_actors.drivers.requirements import Requirement, directory_requirements
from share_actors.values import Capabilities, Pool, RequestContext, Share


class LocalServersOptions(LocalOptions):
    """Options of the driver `local-servers`: those of `local`, and the number of addresses of a server."""

    addresses_per_server: Annotated[int, Field(ge=0, le=64)] = 1


class LocalServersDriver(SharesOnServers):
    """Share servers as directories under one root: `servers/ID`, each a separate `local` backend."""

    Options = LocalServersOptions
    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    access_types: ClassVar[tuple[str, ...]] = ("user",)
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
        "NFS": {"user": ("rw", "ro")},
        "CIFS": {"user": ("rw", "ro")},
    }
    modes: ClassVar[tuple[bool, ...]] = (True,)
    public_details = frozenset({"root", "addresses"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(LocalServersOptions, self.configuration)
        self._servers = ServerDirectories(self._options.root)
        self._addresses = ServerAddresses(self._options.root / "networks")
        self._fences = Fences(self._options.root / "networks")

    @property
    def refuses_late_calls(self) -> bool:
        """True: see `drivers.fence`."""
        return True

    def exclusive_directories(self) -> dict[str, Path]:
        """The root, with the servers and their shares."""
        return {"root": self._options.root}

    def requirements(self) -> Sequence[Requirement]:
        """Free space and POSIX ACLs at the root (`abilities.StatesRequirements`)."""
        return directory_requirements(self._options.root)

    def setup_warnings(self) -> tuple[str, ...]:
        """A directory at or above the root that users in general cannot pass through."""
        return root_warnings(self.backend_name, self._options.root)

    # -- backend -------------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Create the root; raises `DriverError` if that fails, or if a required mount is missing."""
        root = self._options.root
        with os_errors(f"set up {root}"):
            if self._options.require_mount and not root.is_mount():
                raise DriverError(f"nothing is mounted at {root}")
            self._servers.prepare()
            self._fences.forget_old(root / "servers")

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """The capacity of the filesystem and the sizes of all shares on all servers."""
        with os_errors(f"measure {self._options.root}"):
            filesystem = os.statvfs(self._options.root)
            server_ids = self._servers.server_ids()
            allocated_gib = sum(map(self._servers.allocated_gib, server_ids))
        pool = Pool(
            name=self.backend_name,
            total_capacity_gib=filesystem.f_blocks * filesystem.f_frsize / GIB,
            free_capacity_gib=filesystem.f_bavail * filesystem.f_frsize / GIB,
            allocated_capacity_gib=float(allocated_gib),
            reserved_percentage=self._options.reserved_percentage,
            thin_provisioning=True,
            max_over_subscription_ratio=self._options.max_over_subscription_ratio,
            capabilities={"share_servers": len(server_ids)},
        )
        return Capabilities(
            backend_name=self.backend_name,
            driver_name="local-servers",
            pools=(pool,),
            storage_protocols=self.protocols,
            access_types=self.access_types,
            driver_handles_share_servers=True,
        )

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The disk space of each share in bytes; walks all their files."""
        used: dict[str, int] = {}
        for share in shares:
            server_id = share.share_server_id
            if server_id is not None and self._servers.is_set_up(server_id):
                used |= self._local_driver(server_id).get_share_usage([share])
        return used

    def get_pool(self, share: Share) -> str:
        """The only pool, named after the backend."""
        return self.backend_name

    # -- share servers -------------------------------------------------------------------------
    def get_network_allocations_number(self) -> int:
        """The option `addresses_per_server`."""
        return self._options.addresses_per_server

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Record the addresses as in use; raises `DriverError` if another server there uses one of them.

        Networks on different segments may have the same addresses, as those of different tenants often do.
        """
        server_id = _checked_server_id(share_server["id"])
        with (
            self._server_lock("allocate network of server", server_id, context) as fence,
            self._network_lock(),
        ):
            self._addresses.take(
                server_id,
                share_server["network_allocations"],
                segment_of(share_network),
                fence.check,
            )

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        """Remove the record of the server's addresses."""
        server_id = _checked_server_id(share_server_id)
        with self._server_lock("deallocate network of server", server_id, context):
            self._addresses.release(server_id)

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Create the server's directory; its details are `root` and `addresses`."""
        server_id = _checked_server_id(network_info["server_id"])
        addresses = list(network_info["network_allocations"])
        root = self._servers.path(server_id)
        try:
            context = attempt_context(metadata)
            with self._server_lock("set up server", server_id, context) as fence:
                root.mkdir(mode=0o711, exist_ok=True)
                self._local_driver(server_id).do_setup(RequestContext())
                record = {"addresses": addresses, "network": network_info["network_id"]}
                fence.check()
                self._servers.record_server(server_id, record)
        except Overtaken:
            raise
        except DriverError as error:
            raise ShareServerSetUpFailed(str(error), {"root": str(root)}) from error
        return {"root": str(root), "addresses": ",".join(addresses)}

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Remove the server's directory; raises `DriverError` while it has shares.

        Entries that the driver did not make stay, with the directory: it is no server without its file.
        """
        server_id = _checked_server_id(server_details["server_id"])
        context = attempt_context(server_details, TOKEN)
        with self._server_lock("tear down server", server_id, context) as fence:
            if share_ids := self._servers.share_ids(server_id):
                raise DriverError(f"share server {server_id} has shares: {', '.join(share_ids)}")
            fence.check()
            self._servers.remove(server_id)

    # ------------------------------------------------------------------------------------------
    def _on(self, share_server: Any) -> LocalDriver:
        """The `local` driver of *share_server*; raises `DriverError` unless it is set up."""
        if share_server is None:
            raise DriverError("a share server is required")
        server_id = _checked_server_id(share_server["id"])
        if not self._servers.is_set_up(server_id):
            raise DriverError(f"share server {server_id} is not set up")
        return self._local_driver(server_id)

    def _local_driver(self, server_id: str) -> LocalDriver:
        options = LocalOptions(root=self._servers.path(server_id))
        return LocalDriver(configuration=options, backend_name=self.backend_name)

    @contextmanager
    def _server_lock(
        self, operation: str, server_id: str, context: RequestContext = NO_CONTEXT
    ) -> Iterator[Fence]:
        """Lock the server: the thread of an abandoned attempt may still be running."""
        translated = os_errors(f"{operation} {server_id}")
        with (
            translated,
            self._fences.enter(server_id, context) as fence,
            self._servers.folder("locks") as fd,
            locked(fd, server_id),
        ):
            fence.check()
            yield fence

    @contextmanager
    def _network_lock(self) -> Iterator[None]:
        """Lock the addresses of all servers, to compare and record them atomically."""
        with self._servers.folder("locks") as fd, locked(fd, "all-networks"):
            yield


def _checked_server_id(server_id: Any) -> str:
    return checked_id("share server", str(server_id))
