"""The driver `local`: shares are directories of this machine, access rules are POSIX ACLs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from share_actors.drivers.abilities import BackendObject
from share_actors.drivers.base import (
    DriverError,
    Exports,
    ProbeResult,
    RefusedByBackend,
    TransientError,
)
from share_actors.drivers.fence import Fence
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.local.access import LocalAccess
from share_actors.drivers.local.base import GIB
from share_actors.drivers.local.layout import snapshot_name
from share_actors.drivers.local.listing import listed_objects
from share_actors.drivers.local.manage import LocalManage
from share_actors.drivers.local.reverts import LocalReverts
from share_actors.drivers.local.snapshots import LocalSnapshots
from share_actors.values import (
    Capabilities,
    ExportLocation,
    Pool,
    RequestContext,
    Share,
    Snapshot,
)


class LocalDriver(LocalAccess, LocalSnapshots, LocalReverts, LocalManage):
    """Shares as directories under one root (Manila has no such driver; its LVM driver is similar).

    Access rules name users of this machine, or groups as `@group`. The size of a share is recorded and counts
    in the statistics, but a directory does not enforce it: users can write until the filesystem is full. A
    user whose access is denied keeps open files, and still owns the files that they created, below a
    directory that they can no longer enter. A snapshot that is taken while users write is not atomic: each
    file is copied at a different time.
    """

    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    access_types: ClassVar[tuple[str, ...]] = ("user",)
    access_support: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
        "NFS": {"user": ("rw", "ro")},
        "CIFS": {"user": ("rw", "ro")},
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stats: Capabilities | None = None

    # -- backend -------------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Create the root; raises `DriverError` if that fails, or if a required mount is missing."""
        root = self._options.root
        with os_errors(f"set up {root}"):
            if self._options.require_mount and not root.is_mount():
                raise DriverError(f"nothing is mounted at {root}")
            self._layout.prepare()
            self._fences.forget_old(root / "shares")

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` unless files below the root can be created, locked, synced and renamed.

        The first access rule reports a filesystem without ACLs: everything else works without them.
        """
        probe = f"probe-{os.getpid()}-{time.monotonic_ns()}"
        operation = f"check {self._options.root}"
        with os_errors(operation, temporary=probe), self._layout.lock(probe) as lock:
            lock.discard()
            try:
                self._layout.record_size(probe, 0)
            finally:
                self._layout.forget(probe)

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """The capacity of the filesystem and the sizes of all shares; cached until *refresh*."""
        if self._stats is None or refresh:
            with os_errors(f"measure {self._options.root}"):
                self._stats = self._measure_backend()
        return self._stats

    def get_share_usage(self, shares: Sequence[Share]) -> dict[str, int]:
        """The disk space of each share in bytes; walks all their files."""
        used = {}
        for share in shares:
            checked_id("share", share.id)
            with os_errors(f"measure share {share.id}"), suppress(FileNotFoundError):
                used[share.id] = self._measure_share(share.id).allocated
        return used

    def get_backend_info(self, context: RequestContext) -> Mapping[str, str]:
        """The root, which all export locations begin with."""
        return {"root": str(self._options.root)}

    def get_pool(self, share: Share) -> str:
        """The only pool, named after the backend."""
        return self.backend_name

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Create an empty directory; it and its size are on disk when this returns."""
        with self._share_lock("create share", share.id, context) as fence:
            if not self._layout.exists("shares", share.id):
                self._layout.record_size(share.id, share.size)
                fence.check()
                self._layout.make_share(share.id)
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Copy *snapshot*; the new share has no access rules."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with (
            self._share_lock("create share", share.id, context) as fence,
            self._layout.lock(name, shared=True),
        ):
            if not self._layout.exists("shares", share.id):
                self._layout.record_size(share.id, share.size)
                self._copy("snapshots", name, "shares", share.id, fence)
        return self._exports(share)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Remove the directory with its content; snapshots stay."""
        with self._share_lock("delete share", share.id, context) as fence:
            self._layout.remove("shares", share.id, fence.check)
            self._layout.forget(share.id)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Record the size in GiB; the filesystem does not enforce it."""
        with self._share_lock("extend share", share.id, context, must_exist=True) as fence:
            self._resize(share.id, new_size, fence)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Record the size in GiB; raises `RefusedByBackend` if the share uses more disk space."""
        with self._share_lock("shrink share", share.id, context, must_exist=True) as fence:
            used = self._measure_share(share.id).allocated
            if used > new_size * GIB:
                raise RefusedByBackend(
                    f"share {share.id} uses {used / GIB:.2f} GiB ({used} bytes), more than {new_size} GiB"
                )
            self._resize(share.id, new_size, fence)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Return the export locations; raises `DriverError` if the directory is lost. Creates nothing."""
        with self._share_lock("ensure share", share.id, must_exist=True):
            return self._exports(share)

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        """Report what exists of *share*, without its access rules: applying them again is as cheap."""
        names = {s.id: snapshot_name(share.id, s.id) for s in share.snapshots}
        with self._share_lock("probe share", share.id):
            size = self._layout.size(share.id)
            begun = size is not None or self._layout.leftovers(share.id)
            exists = self._layout.exists("shares", share.id)
            return ProbeResult(
                state="whole" if exists else "partial" if begun else "absent",
                export_locations=self._exports(share) if exists else (),
                size=size,
                snapshots={
                    i: str(self._layout.path("snapshots", name))
                    for i, name in names.items()
                    if self._layout.exists("snapshots", name)
                },
                unfinished=frozenset(i for i, n in names.items() if self._layout.leftovers(n)),
            )

    def list_backend(self, context: RequestContext) -> list[BackendObject]:
        """The directories of shares and snapshots below the root, with the recorded sizes."""
        with os_errors(f"list {self._options.root}"):
            return listed_objects(self._layout)

    # ------------------------------------------------------------------------------------------
    def _resize(self, share_id: str, size: int, fence: Fence) -> None:
        fence.check()
        self._layout.record_size(share_id, size)
        if (there := self._layout.size(share_id)) != size:
            raise TransientError(
                f"share {share_id} has the size {there} GiB after setting {size} GiB"
            )

    def _exports(self, share: Share) -> tuple[ExportLocation, ...]:
        return (ExportLocation(path=str(self._layout.path("shares", share.id)), preferred=True),)

    def _measure_backend(self) -> Capabilities:
        filesystem = os.statvfs(self._options.root)
        pool = Pool(
            name=self.backend_name,
            total_capacity_gib=filesystem.f_blocks * filesystem.f_frsize / GIB,
            free_capacity_gib=filesystem.f_bavail * filesystem.f_frsize / GIB,
            allocated_capacity_gib=float(sum(self._layout.sizes().values())),
            reserved_percentage=self._options.reserved_percentage,
            thin_provisioning=True,
            max_over_subscription_ratio=self._options.max_over_subscription_ratio,
        )
        return Capabilities(
            backend_name=self.backend_name,
            driver_name="local",
            storage_protocols=self.protocols,
            access_types=self.access_types,
            pools=(pool,),
        )
