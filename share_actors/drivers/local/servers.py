"""The driver `local-servers`: share servers as directory trees of this machine; the reference for DHSS.

It needs no root: a server is a directory with its addresses on file, and its shares are those of the
driver `local`, beneath it. A server's addresses are kept, not configured on any interface.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field

from share_actors.drivers.base import (
    DriverError,
    Exports,
    ProbeResult,
    RuleUpdates,
    ShareDriver,
    ShareServerSetUpFailed,
)
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import locked
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.tree import opened, remove_tree
from share_actors.drivers.local.driver import GIB, LocalDriver, LocalOptions
from share_actors.values import AccessRule, Capabilities, Pool, RequestContext, Share, Snapshot

FOLDERS = ("servers", "trash", "locks", "networks")
ON_FILE = "server.json"


class LocalServersOptions(LocalOptions):
    """Options of the driver `local-servers`: those of `local`, and how many addresses a server needs."""

    addresses_per_server: Annotated[int, Field(ge=0, le=64)] = 1


class LocalServersDriver(ShareDriver):
    """Share servers as directories under one root: `servers/ID`, each a whole `local` backend of its own."""

    Options = LocalServersOptions
    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    access_types: ClassVar[tuple[str, ...]] = ("user",)
    modes: ClassVar[tuple[bool, ...]] = (True,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(LocalServersOptions, self.configuration)

    # -- life of the backend -------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Make the root; raises `DriverError` if it can't be made, or is not mounted and must be."""
        root = self._options.root
        with os_errors(f"set up {root}"):
            if self._options.require_mount and not root.is_mount():
                raise DriverError(f"nothing is mounted at {root}")
            root.mkdir(mode=0o711, parents=True, exist_ok=True)
            for name in FOLDERS:
                (root / name).mkdir(mode=0o711 if name == "servers" else 0o700, exist_ok=True)

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """What the filesystem has, and the sizes of all shares on all servers."""
        with os_errors(f"measure {self._options.root}"):
            found = os.statvfs(self._options.root)
            servers = [self._at(path.name) for path in self._servers().iterdir()]
            promised = [p for s in servers for p in s.get_share_stats(refresh=True).pools]
        pool = Pool(
            name=self.backend_name,
            total_capacity_gib=found.f_blocks * found.f_frsize / GIB,
            free_capacity_gib=found.f_bavail * found.f_frsize / GIB,
            allocated_capacity_gib=sum(p.allocated_capacity_gib for p in promised),
            reserved_percentage=self._options.reserved_percentage,
            thin_provisioning=True,
            max_over_subscription_ratio=self._options.max_over_subscription_ratio,
            capabilities={"share_servers": len(servers)},
        )
        return Capabilities(
            backend_name=self.backend_name,
            driver_name="local-servers",
            pools=(pool,),
            storage_protocols=self.protocols,
            access_types=self.access_types,
            driver_handles_share_servers=True,
        )

    def get_pool(self, share: Share) -> str:
        return self.backend_name

    # -- share servers -------------------------------------------------------------------------
    def get_network_allocations_number(self) -> int:
        return self._options.addresses_per_server

    def allocate_network(
        self,
        context: RequestContext,
        share_server: Any,
        share_network: Any,
        count: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the addresses as in use, as a fabric would; refuses those of another server."""
        server_id, wanted = _id(share_server["id"]), list(share_server["network_allocations"])
        with self._working("networks", server_id), self._all_networks():
            for other, taken in self._networks().items():
                if other != server_id and set(taken) & set(wanted):
                    raise DriverError(
                        f"share server {other} has {set(taken) & set(wanted)} already"
                    )
            _write(self._options.root / "networks" / f"{server_id}.json", {"addresses": wanted})

    def deallocate_network(self, context: RequestContext, share_server_id: str) -> None:
        server_id = _id(share_server_id)
        with self._working("networks", server_id):
            (self._options.root / "networks" / f"{server_id}.json").unlink(missing_ok=True)

    def setup_server(
        self, network_info: Any, metadata: Any = None, **kwargs: Any
    ) -> dict[str, str]:
        """Make the server's directory; its details are `root` and `addresses`."""
        server_id = _id(network_info["server_id"])
        addresses = list(network_info["network_allocations"])
        root = self._servers() / server_id
        try:
            with self._working("set up server", server_id):
                root.mkdir(mode=0o711, exist_ok=True)
                self._at(server_id).do_setup(RequestContext())
                kept = {"addresses": addresses, "network": network_info["network_id"]}
                _write(root / ON_FILE, kept)
        except DriverError as error:
            raise ShareServerSetUpFailed(str(error), {"root": str(root)}) from error
        return {"root": str(root), "addresses": ",".join(addresses)}

    def teardown_server(
        self, server_details: Any, security_services: Any = None, **kwargs: Any
    ) -> None:
        """Remove the server's directory; `DriverError` while it holds shares."""
        server_id = _id(server_details["server_id"])
        root, trash = self._servers() / server_id, self._options.root / "trash"
        with self._working("tear down server", server_id):
            held = sorted(p.name for p in (root / "shares").glob("*"))
            if held:
                raise DriverError(f"share server {server_id} holds shares: {', '.join(held)}")
            with self._folder("trash") as fd:
                remove_tree(fd, server_id)  # what an attempt that died left
                if root.is_dir():
                    root.rename(trash / server_id)
                remove_tree(fd, server_id)

    # -- shares, on their servers ----------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return self._on(share_server).create_share(context, share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        return self._on(share_server).create_share_from_snapshot(context, share, snapshot)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        self._on(share_server).delete_share(context, share)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._on(share_server).extend_share(context, share, new_size)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self._on(share_server).shrink_share(context, share, new_size)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        return self._on(share_server).ensure_share(context, share)

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        return self._on(share_server).probe_share(context, share)

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        return self._on(share_server).create_snapshot(context, snapshot)

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        self._on(share_server).delete_snapshot(context, snapshot)

    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> RuleUpdates:
        local = self._on(share_server)
        return local.update_access(
            context, share, access_rules, add_rules, delete_rules, update_rules
        )

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        self._on(share_server).allow_access(context, share, access)

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        self._on(share_server).deny_access(context, share, access)

    # ------------------------------------------------------------------------------------------
    def _on(self, share_server: Any) -> LocalDriver:
        """The `local` driver of that server; `DriverError` unless it is set up."""
        if share_server is None:
            raise DriverError("a share server is needed, and none was given")
        server_id = _id(share_server["id"])
        if not (self._servers() / server_id / ON_FILE).is_file():
            raise DriverError(f"share server {server_id} is not set up")
        return self._at(server_id)

    def _at(self, server_id: str) -> LocalDriver:
        options = LocalOptions(root=self._servers() / server_id)
        return LocalDriver(configuration=options, backend_name=self.backend_name)

    def _servers(self) -> Path:
        return self._options.root / "servers"

    def _networks(self) -> dict[str, list[str]]:
        found = (self._options.root / "networks").glob("*.json")
        return {path.stem: json.loads(path.read_text())["addresses"] for path in found}

    @contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        top = os.open(self._options.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with opened(top, (name,)) as fd:
                yield fd
        finally:
            os.close(top)

    @contextmanager
    def _working(self, what: str, server_id: str) -> Iterator[None]:
        """Hold the server's lock: an attempt that was given up may still be at work."""
        said = os_errors(f"{what} {server_id}")
        with said, self._folder("locks") as fd, locked(fd, server_id):
            yield

    @contextmanager
    def _all_networks(self) -> Iterator[None]:
        """One at a time looks who has which addresses and takes some."""
        with self._folder("locks") as fd, locked(fd, "all-networks"):
            yield


def _id(server_id: Any) -> str:
    return checked_id("share server", str(server_id))


def _write(path: Path, kept: dict[str, Any]) -> None:
    """Whole or not at all, and on the disk."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
