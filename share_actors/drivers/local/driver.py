"""The driver `local`: shares are directories of this machine, rules are POSIX ACLs for its users."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, field_validator

from share_actors.drivers.base import (
    DriverError,
    DriverOptions,
    Exports,
    ManageInvalidShare,
    ProbeResult,
    RefusedByBackend,
    RuleUpdates,
    ShareDriver,
    ShareSnapshotIsBusy,
)
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.copying import copy_tree, logged
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import Lock
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.tree import Sizes, measure
from share_actors.drivers.local.layout import Kept, Layout, snapshot_name
from share_actors.values import (
    AccessRule,
    Capabilities,
    ExportLocation,
    Pool,
    RequestContext,
    Share,
    Snapshot,
)

GIB = 1024**3


class LocalOptions(DriverOptions):
    """Options of the driver `local`."""

    root: Path
    """An absolute path; made if it is missing. Share users need to pass through all above it."""
    require_mount: bool = False
    """Refuse to work unless something is mounted at `root`: never mistake its absence for empty."""
    reserved_percentage: Annotated[float, Field(ge=0, le=100)] = 0.0
    max_over_subscription_ratio: Annotated[float, Field(ge=1)] = 20.0
    """So many times the filesystem may be promised: directories take up what is in them."""

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: Path) -> Path:
        if not root.is_absolute() or ".." in root.parts:
            raise ValueError("must be an absolute path without '..'")
        return root


class LocalDriver(ShareDriver):
    """Shares as directories under one root (Manila has no such driver; its LVM driver is nearest).

    Rules name users of this machine, or groups as `@group`. The size of a share is recorded and counts
    in the statistics, but a plain directory does not enforce it: users can write until the filesystem
    is full. Who is denied keeps files that are open, and stays the owner of files made before, out of
    reach beneath a directory that is closed to them. Taking a snapshot while users write gives what a
    copying program gives: each file as it was when its turn came.
    """

    Options = LocalOptions
    protocols: ClassVar[tuple[str, ...]] = ("NFS", "CIFS")
    access_types: ClassVar[tuple[str, ...]] = ("user",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(LocalOptions, self.configuration)
        self._layout = Layout(self._options.root)
        self._stats: Capabilities | None = None

    def progress(self, what: str, done: int, total: int) -> None:
        """Override to follow copies: bytes done and in all, after each file and each large chunk."""

    # -- life of the backend -------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Make the root; raises `DriverError` if it can't be made, or is not mounted and must be."""
        root = self._options.root
        with os_errors(f"set up {root}"):
            if self._options.require_mount and not root.is_mount():
                raise DriverError(f"nothing is mounted at {root}")
            self._layout.prepare()

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` unless files beneath the root can be made, locked, synced and renamed.

        A filesystem without ACLs is told by the first access rule: it serves for all else.
        """
        probe = f"probe-{os.getpid()}-{time.monotonic_ns()}"
        with os_errors(f"check {self._options.root}"), self._layout.lock(probe) as lock:
            lock.discard()
            self._layout.record_size(probe, 0)
            self._layout.forget_size(probe)

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """What the filesystem has, and the sizes of all shares; kept until asked to *refresh*."""
        if self._stats is None or refresh:
            with os_errors(f"measure {self._options.root}"):
                self._stats = self._measured()
        return self._stats

    def get_backend_info(self, context: RequestContext) -> Mapping[str, str]:
        """Shares are exported as directories of the root."""
        return {"root": str(self._options.root)}

    def get_pool(self, share: Share) -> str:
        return self.backend_name

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Make an empty directory; it and its size are on the disk when this returns."""
        with self._working("create share", share.id):
            if not self._layout.exists("shares", share.id):
                self._layout.record_size(share.id, share.size)
                self._layout.make_share(share.id)
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Exports:
        """Copy *snapshot*; the new share has none of the rules of the old one."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with (
            self._working("create share", share.id),
            self._layout.lock(name, shared=True),
        ):
            if not self._layout.exists("shares", share.id):
                self._layout.record_size(share.id, share.size)
                self._copy("snapshots", name, "shares", share.id)
        return self._exports(share)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Remove the directory and all in it; snapshots stay."""
        with self._working("delete share", share.id):
            self._layout.remove("shares", share.id)
            self._layout.forget_size(share.id)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Record the size, in GiB; see the class for what it means here."""
        with self._working("extend share", share.id, must_exist=True):
            self._layout.record_size(share.id, new_size)

    def shrink_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Record the size, in GiB; `RefusedByBackend` if the share takes up more on the disk."""
        with self._working("shrink share", share.id, must_exist=True):
            used = self._measured_share(share.id).allocated
            if used > new_size * GIB:
                raise RefusedByBackend(
                    f"share {share.id} uses {used / GIB:.2f} GiB ({used} bytes), more than {new_size} GiB"
                )
            self._layout.record_size(share.id, new_size)

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> Exports:
        """Say where *share* is; `DriverError` if its directory is lost. Makes nothing."""
        with self._working("ensure share", share.id, must_exist=True):
            return self._exports(share)

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        """What there is of *share*; not who is let in, for setting that again costs no more than to look."""
        names = {s.id: snapshot_name(share.id, s.id) for s in share.snapshots}
        with self._working("probe share", share.id):
            size = self._layout.size(share.id)
            begun = size is not None or self._layout.leftovers(share.id)
            there = self._layout.exists("shares", share.id)
            return ProbeResult(
                state="whole" if there else "partial" if begun else "absent",
                export_locations=self._exports(share) if there else (),
                size=size,
                snapshots={
                    i: str(self._layout.path("snapshots", name))
                    for i, name in names.items()
                    if self._layout.exists("snapshots", name)
                },
                unfinished=frozenset(i for i, n in names.items() if self._layout.leftovers(n)),
            )

    # -- snapshots -----------------------------------------------------------------------------
    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        """Copy the share's directory; return the path of the copy."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._working(f"create snapshot {snapshot.id} of share", snapshot.share_id):
            if not self._layout.exists("snapshots", name):
                self._copy("shares", snapshot.share_id, "snapshots", name)
        return str(self._layout.path("snapshots", name))

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        """Remove the copy; `ShareSnapshotIsBusy` while a share is made from it, in any process."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._working(f"delete snapshot {snapshot.id} of share", snapshot.share_id):
            try:
                with self._layout.lock(name, wait=False) as lock:
                    self._layout.remove("snapshots", name)
                    lock.discard()
            except BlockingIOError:
                raise ShareSnapshotIsBusy(
                    f"snapshot {snapshot.id} is in use: a share is being made from it"
                ) from None

    # -- access --------------------------------------------------------------------------------
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
        """Let in exactly those whom *access_rules* name, on all that is in the share.

        One whom two rules name gets the more of the two. What only the other lists say is not needed.
        """
        grants: dict[acl.Who, int] = {}
        failed: dict[str, str] = {}
        for rule in access_rules:
            try:
                who, perm = acl.granted_by(rule)
                grants[who] = grants.get(who, 0) | perm
            except DriverError as error:
                failed[rule.id] = str(error)
        self._set_grants(share, grants)
        return failed

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Let *access* in besides those who are; `UnsupportedAccess` if it names no user."""
        who, perm = acl.granted_by(access)
        self._set_grants(share, {**self._grants(share), who: perm})

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Keep *access* out; whom nobody knows (any more) was never let in by name."""
        try:
            denied, _ = acl.granted_by(access)
        except DriverError:
            return
        left = {who: perm for who, perm in self._grants(share).items() if who != denied}
        self._set_grants(share, left)

    # -- adoption of what exists ---------------------------------------------------------------
    def manage_existing(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Take the directory `driver_options["path"]`, under the root, and move it to its place.

        Returns its size: what it takes up, in whole GiB. Raises `DriverError` for a path outside the
        root, of another share, or that is no directory.
        """
        path = _path_in(driver_options)
        with self._working("manage share", share.id):
            if not self._layout.exists("shares", share.id):
                self._layout.adopt(path, share.id)
            size = _whole_gib(self._measured_share(share.id))
            self._layout.record_size(share.id, size)
        return {"size": size}

    def preview_manage(self, share: Share, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """The directory that would be taken, and its `size` in GiB; raises as `manage_existing` does."""
        path = _path_in(driver_options)
        with os_errors(f"look at {path}"):
            found = self._layout.adoptable(path)
            with self._layout.folder(*found.relative_to(self._options.root).parts) as fd:
                used = measure(fd)
        return {"path": str(found), "size": _whole_gib(used), "bytes": used.allocated}

    def unmanage(self, share: Share) -> None:
        """Leave the directory where it is; only its size is forgotten, and it can be managed again."""
        with self._working("unmanage share", share.id):
            self._layout.forget_size(share.id)

    def manage_existing_snapshot(
        self, snapshot: Snapshot, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Take the directory at `snapshot.provider_location`, under the root, and move it to its place."""
        name = snapshot_name(snapshot.share_id, snapshot.id)
        with self._working(f"manage snapshot {snapshot.id} of share", snapshot.share_id):
            if not self._layout.exists("snapshots", name):
                self._layout.adopt(snapshot.provider_location or "", name, kept="snapshots")
        where = str(self._layout.path("snapshots", name))
        return {"size": max(1, snapshot.size), "provider_location": where}

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Leave the directory where it is."""
        snapshot_name(snapshot.share_id, snapshot.id)

    # ------------------------------------------------------------------------------------------
    @contextmanager
    def _working(self, what: str, share_id: str, *, must_exist: bool = False) -> Iterator[Lock]:
        """Hold the share's lock: an attempt that was given up may still be at work."""
        checked_id("share", share_id)
        with os_errors(f"{what} {share_id}"), self._layout.lock(share_id) as lock:
            try:
                if must_exist:
                    self._must_exist("shares", share_id)
                yield lock
            finally:
                if not self._layout.exists("shares", share_id):
                    lock.discard()

    def _must_exist(self, kept: Kept, name: str) -> None:
        if not self._layout.exists(kept, name):
            raise DriverError(f"{self._layout.path(kept, name)} does not exist")

    def _exports(self, share: Share) -> tuple[ExportLocation, ...]:
        return (ExportLocation(path=str(self._layout.path("shares", share.id)), preferred=True),)

    def _copy(self, source: Kept, name: str, target: Kept, new: str) -> None:
        self._must_exist(source, name)
        with self._layout.folder(source, name) as old, self._layout.appearing(target, new) as fd:
            what = f"copy of {name} to {new}"
            copy_tree(old, fd, logged(what, partial(self.progress, what)))
            if target == "shares":
                acl.set_grants(fd, {})

    def _set_grants(self, share: Share, grants: acl.Grants) -> None:
        with self._working("set access of share", share.id):
            if grants or self._layout.exists("shares", share.id):
                self._must_exist("shares", share.id)
                with self._layout.folder("shares", share.id) as fd:
                    acl.set_grants(fd, grants)

    def _grants(self, share: Share) -> dict[acl.Who, int]:
        with self._working("read access of share", share.id):
            if not self._layout.exists("shares", share.id):
                return {}
            with self._layout.folder("shares", share.id) as fd:
                return acl.grants_of(fd)

    def _measured_share(self, share_id: str) -> Sizes:
        with self._layout.folder("shares", share_id) as fd:
            return measure(fd)

    def _measured(self) -> Capabilities:
        found = os.statvfs(self._options.root)
        pool = Pool(
            name=self.backend_name,
            total_capacity_gib=found.f_blocks * found.f_frsize / GIB,
            free_capacity_gib=found.f_bavail * found.f_frsize / GIB,
            allocated_capacity_gib=float(sum(self._layout.sizes())),
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


def _path_in(driver_options: Mapping[str, Any]) -> str:
    path = driver_options.get("path")
    if not isinstance(path, str):
        raise ManageInvalidShare(f"driver_options['path'] must name a directory, not {path!r}")
    return path


def _whole_gib(sizes: Sizes) -> int:
    return max(1, -(-sizes.allocated // GIB))
