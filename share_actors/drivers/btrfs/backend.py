"""Start, stop and check a `btrfs` backend: image, mounts, quotas, and the daemon that exports."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.base import DriverError
from share_actors.drivers.btrfs import image, ioctls
from share_actors.drivers.btrfs.base import BtrfsBase
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs.image import GIB
from share_actors.drivers.btrfs.pool import label_of, share_of
from share_actors.drivers.btrfs.records import CLIENTS
from share_actors.drivers.filesystem.mounts import is_mounted, mount, mounts_below, unmount
from share_actors.drivers.filesystem.own_files import read_record
from share_actors.drivers.storage_errors import FilesystemBusy
from share_actors.values import Capabilities, Pool, RequestContext, Share

OWNER = ".share-actors.json"
"""The file in the top subvolume that says which root uses the filesystem: {"root": path, "boot": id}."""
LOCK = "@backend"
"""The lock of starting and stopping; no share has this id."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROGRAMS = {"ganesha.nfsd": "nfs-ganesha", "dbus-daemon": "dbus-daemon"}
"""The programs that serve shares, and the Debian packages that have them."""
LOW_SPACE = 64 * 1024**2
"""The free space in bytes below which the filesystem is reported as full."""


class BtrfsBackend(BtrfsBase):
    """The methods of `BtrfsDriver` about the whole backend, and those of the ability `RunsDaemons`."""

    _stats: Capabilities | None = None

    def do_setup(self, context: RequestContext) -> None:
        """Create the directories of the root; nothing is mounted or started."""
        with btrfs_errors(f"set up {self._root}"):
            self._make_folders()
            if self._pool.is_mounted:
                self._fences.forget_old(self._pool.path / "shares")

    def check_for_setup_error(self) -> None:
        """Raise `DriverError` for what this machine lacks, or for what is wrong if the backend runs."""
        if os.geteuid() != 0:
            raise DriverError(
                "the driver btrfs needs root: it mounts filesystems and makes subvolumes"
            )
        for program, package in PROGRAMS.items():
            if shutil.which(program) is None:
                raise DriverError(
                    f"{program} is not installed (package {package}): it serves the shares"
                )
        self._check_device()
        with btrfs_errors(f"check {self._root}"):
            if self._pool.is_mounted and self._pool.quota_mode() is None:
                raise DriverError(
                    f"quotas are off on the filesystem at {self._pool.path}: no size is enforced; restart"
                    " the backend"
                )

    def _check_device(self) -> None:
        """Raise `DriverError` if the device does not exist and cannot be made."""
        device = self._options.device
        if not device.exists() and self._options.image_size_gib is None:
            raise DriverError(
                f"device {device} does not exist: name a block device or an image file with a btrfs"
                " filesystem, or set image_size_gib to have an image made"
            )
        if not device.exists() and shutil.which("mkfs.btrfs") is None:
            raise DriverError(
                "mkfs.btrfs is not installed (package btrfs-progs): no image can be made"
            )

    def setup_warnings(self) -> tuple[str, ...]:
        """That the kernel enforces another kind of quota than `quota_mode`."""
        with suppress(OSError):
            if self._pool.is_mounted and (mode := self._pool.quota_mode()) != (
                wanted := self._options.quota_mode
            ):
                return (f"{self.backend_name}: quota_mode is {wanted!r}, but {mode!r} is in force",)
        return ()

    def get_backend_info(self, context: RequestContext) -> Mapping[str, str]:
        """What export locations consist of."""
        return {
            "address": self._options.address,
            "nfs_port": str(self._options.nfs_port),
            "mount_port": str(self._options.mount_port),
            "versions": ",".join(map(str, self._options.versions)),
            "cifs_port": str(self._options.cifs_port),
        }

    def get_pool(self, share: Share) -> str:
        """The only pool, named after the backend."""
        return self.backend_name

    def get_share_stats(self, refresh: bool = False) -> Capabilities:
        """The capacity of the filesystem and the limits of all shares; cached until *refresh*.

        The space of what was deleted is free after up to half a minute.
        """
        if self._stats is None or refresh:
            with btrfs_errors(f"measure {self._pool.path}"):
                self._must_run(changes=False)
                self._stats = self._measure_backend()
        return self._stats

    # -- RunsDaemons ---------------------------------------------------------------------------
    def start_backend(self, context: RequestContext) -> None:
        """Mount the filesystem and all shares, then start the NFS server; does only what is not done.

        An image that does not exist is made first. Raises `DriverError` if another root uses the filesystem.
        """
        with btrfs_errors(f"start backend {self.backend_name}"):
            self._make_folders()
            with self._lock(LOCK):
                self._mount_pool()
                self._prepare_pool()
                self._mount_exports_directory()
                self._withdraw_lost()
                for name in self._served_names():
                    with self._lock(share_of(name)):
                        self._mount_share(name)
                self._exporter.start()
            self._resume()

    def stop_backend(self, context: RequestContext) -> None:
        """End the NFS server and unmount everything; the loop device is detached with the last mount.

        Raises `TransientError` if a program uses a mount: the rest is unmounted by the next call.
        """
        with btrfs_errors(f"stop backend {self.backend_name}"):
            self._make_folders()
            with self._lock(LOCK):
                self._exporter.stop()
                for found in mounts_below(self._exports_directory):
                    self._unmount(found.path)
                self._release_pool()

    def check_health(self) -> tuple[str, ...]:
        """What is wrong with the filesystem, the mounts and the NFS server."""
        if not self._pool.is_mounted:
            return (f"the filesystem is not mounted at {self._pool.path}: start the backend",)
        with btrfs_errors(f"check {self._pool.path}"):
            return (
                *self._filesystem_problems(),
                *self._mount_problems(),
                *self._exporter.problems(),
            )

    # ------------------------------------------------------------------------------------------
    def _make_folders(self) -> None:
        for name in self._folders:
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _mount_pool(self) -> None:
        if self._pool.is_mounted:
            return
        device, fd = self._attached_device()
        try:
            mount(str(device), self._pool.path, "btrfs", "subvolid=5")
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise DriverError(
                f"there is no btrfs filesystem on {self._options.device}: nothing was changed; format it with"
                " mkfs.btrfs if it has no data, or set another device"
            ) from error
        finally:
            if fd is not None:
                os.close(fd)

    def _attached_device(self) -> tuple[Path, int | None]:
        """The block device to mount; for one that was attached now, also its open descriptor."""
        device = self._options.device
        if device.is_block_device():
            return device, None
        if self._options.image_size_gib is not None:
            image.make_image(device, self._options.image_size_gib)
        if not device.is_file():
            raise DriverError(f"device {device} is not a block device or an image file")
        fd = image.opened(device)
        if fd is None:
            fd = image.attach(device)
        return Path(os.readlink(f"/proc/self/fd/{fd}")), fd

    def _release_pool(self) -> None:
        """Unmount the filesystem, which this root no longer uses."""
        if self._pool.is_mounted:
            if not self._pool.is_read_only and self._owner() == str(self._root):
                (self._pool.path / OWNER).unlink()
            self._unmount(self._pool.path)

    def _prepare_pool(self) -> None:
        try:
            self._claim()
        except DriverError:
            self._unmount(self._pool.path)
            raise
        if self._pool.is_read_only:
            return
        self._pool.prepare()
        if self._pool.quota_mode() is None:
            with self._pool.folder() as top:
                ioctls.enable_quota(top, self._options.quota_mode)
        self._pool.sync()

    def _claim(self) -> None:
        """Write which root uses the filesystem; raises `DriverError` if another one does since the boot."""
        boot = BOOT_ID.read_text(encoding="ascii").strip()
        path = self._pool.path / OWNER
        record = read_record(path) or {}
        other = record.get("root", str(self._root))
        if other != str(self._root) and record.get("boot") == boot:
            raise DriverError(
                f"the filesystem on {self._options.device} is in use by the backend with the root {other}:"
                f" nothing was changed; stop that backend, or if it is gone remove the file {OWNER} from the"
                " filesystem's top directory"
            )
        if not self._pool.is_read_only and record != {"root": str(self._root), "boot": boot}:
            new = path.with_name(f"{OWNER}.new")
            new.write_text(json.dumps({"root": str(self._root), "boot": boot}), encoding="utf-8")
            new.rename(path)

    def _owner(self) -> str | None:
        record = read_record(self._pool.path / OWNER) or {}
        return record.get("root")

    def _mount_exports_directory(self) -> None:
        """Mount a ramfs where the shares will be mounted: a directory of it cannot be exported by mistake.

        A file of ramfs has no handle, and NFS-Ganesha refuses it.
        """
        if not is_mounted(self._exports_directory):
            mount("share-actors", self._exports_directory, "ramfs", "mode=700")

    def _withdraw_lost(self) -> None:
        """Remove the exports of what has lost its subvolume; the clients are kept on file.

        The NFS server cannot start well with an export without a directory.
        """
        for name in sorted(self._exporter.names()):
            with self._lock(share_of(name)):
                if not self._exists(name):
                    self._records.write(name, CLIENTS, dict(self._clients_on_file(name)))
                    self._exporter.remove(name, lambda: None)

    def _resume(self) -> None:
        """Export what was not exported for a time, as a share while it is reverted."""
        for name in self._records.names(CLIENTS):
            with self._share_lock("export share", share_of(name), changes=False) as fence:
                if self._exists(name):
                    self._serve(name, fence)

    def _served_names(self) -> list[str]:
        """What exists and is exported: a share that is not managed has no clients on file."""
        suspended = set(self._records.names(CLIENTS))
        exported = suspended.union(self._exporter.names())
        snapshots = [name for name in self._pool.names("snapshots") if name in exported]
        shares = [
            name
            for name in self._pool.names("shares")
            if name in suspended or self._exporter.recorded(name) is not None
        ]
        return shares + snapshots

    def _unmount(self, path: Path) -> None:
        try:
            unmount(path)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise FilesystemBusy(
                f"a program of this machine uses {path}: it stays mounted; end the program, see"
                f" `fuser -vm {path}`, and stop the backend again"
            ) from error

    def _filesystem_problems(self) -> list[str]:
        found = os.statvfs(self._pool.path)
        problems = []
        if found.f_flag & os.ST_RDONLY:
            problems.append(
                f"the filesystem at {self._pool.path} is read-only: see the kernel's log for the"
                " cause"
            )
        if (free := found.f_bavail * found.f_frsize) < LOW_SPACE:
            problems.append(
                f"the filesystem at {self._pool.path} is full: {free} bytes are free. Delete what is not"
                " needed, or enlarge it"
            )
        if self._pool.quota_mode() is None:
            problems.append(f"quotas are off on the filesystem at {self._pool.path}")
        return problems

    def _mount_problems(self) -> list[str]:
        problems = []
        for name in sorted(self._exporter.names().union(self._records.names(CLIENTS))):
            what = label_of(name)
            if not self._exists(name):
                problems.append(
                    f"{what} is exported, but its subvolume {self._subvolume(name)} is lost"
                )
            elif not self._is_in_place(name):
                step = f"ensure {'it' if what == f'share {name}' else 'its share'}"
                problems.append(f"{what} is not mounted at {self._place(name)}: {step}")
        return problems

    def _allocated(self) -> int:
        """The limits of all shares in bytes."""
        return sum(self._pool.limit(name) or 0 for name in self._pool.names("shares"))

    def _measure_backend(self) -> Capabilities:
        found = os.statvfs(self._pool.path)
        pool = Pool(
            name=self.backend_name,
            total_capacity_gib=found.f_blocks * found.f_frsize / GIB,
            free_capacity_gib=found.f_bavail * found.f_frsize / GIB,
            allocated_capacity_gib=self._allocated() / GIB,
            reserved_percentage=self._options.reserved_percentage,
            thin_provisioning=True,
            max_over_subscription_ratio=self._options.max_over_subscription_ratio,
        )
        return Capabilities(
            backend_name=self.backend_name,
            driver_name="btrfs",
            storage_protocols=self.protocols,
            access_types=self.access_types,
            capabilities={
                "quota_mode": self._pool.quota_mode() or "none",
                "revert_to_snapshot_support": True,
                "mount_snapshot_support": True,
            },
            pools=(pool,),
        )
