"""What all parts of the driver `btrfs` use: options, locks, mounts of shares, and their exports."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from share_actors.drivers.base import (
    CALLS_ON_THIS_MACHINE,
    DriverError,
    ShareDriver,
    TransientError,
)
from share_actors.drivers.btrfs import ioctls
from share_actors.drivers.btrfs.cifs import CifsExports, ProtocolExports
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs.exports import Clients, Exporter, NfsExports
from share_actors.drivers.btrfs.options import BtrfsOptions
from share_actors.drivers.btrfs.pool import SubvolumePool, area_of, share_of
from share_actors.drivers.btrfs.records import CLIENTS, PROTOCOL, REVERT, ShareRecords
from share_actors.drivers.fence import Fence, Fences, check_deadline
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import Lock, locked
from share_actors.drivers.filesystem.mounts import is_mounted, mount, mount_at, unmount
from share_actors.drivers.ganesha.assignments import ASSIGNMENTS, Assignments
from share_actors.drivers.requirements import (
    Requirement,
    btrfs_requirements,
    nfs_requirements,
    samba_requirements,
)
from share_actors.drivers.storage_errors import FilesystemBusy, FilesystemReadOnly
from share_actors.values import RequestContext, Share

NO_CONTEXT = RequestContext()
"""The context of the methods that have no context parameter, or change nothing."""
FOLDERS = ("locks", "meta", "exports", "pool")


class BtrfsBase(ShareDriver):
    """The filesystem of a `btrfs` backend, with one lock for each share.

    Below the root: pool, where the filesystem is mounted; exports/ID, where a share is; ganesha, the files of
    the NFS server with the access rules; locks and meta, the locks and fences of shares, and their reverts.
    """

    Options = BtrfsOptions
    calls_at_once = CALLS_ON_THIS_MACHINE
    _folders: ClassVar[tuple[str, ...]] = FOLDERS
    """The directories of the root."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(BtrfsOptions, self.configuration)
        self._root = self._options.root
        self._pool = SubvolumePool(self._root / "pool")
        self._exports_directory = self._root / "exports"
        self._fences = Fences(self._root / "meta")
        self._records = ShareRecords(self._root / "meta")
        self._exporter: Exporter = NfsExports(self._options)
        if self._options.cifs_users:
            exporters: dict[str, Exporter] = {
                "NFS": self._exporter,
                "CIFS": CifsExports(self._options),
            }
            self._exporter = ProtocolExports(exporters, self._protocol)
        else:
            vars(self).update(protocols=("NFS",), access_types=("ip",))  # of this object alone

    @property
    def refuses_late_calls(self) -> bool:
        """True: see `drivers.fence`."""
        return True

    def requirements(self) -> Sequence[Requirement]:
        """What btrfs, NFS-Ganesha and, with users of CIFS, Samba need (`abilities.StatesRequirements`)."""
        options = self._options
        counting: Literal["squota", "qgroup"] = (
            "squota" if options.quota_mode == "simple" else "qgroup"
        )
        is_image = not options.device.is_block_device()
        return (
            *btrfs_requirements(counting, options.root, image=is_image),
            *nfs_requirements(
                options.nfs_port,
                options.versions,
                mount_port=options.mount_port,
                further_ports=self._further_ports(),
                namespace=options.network_namespace,
            ),
            *(self._cifs_requirements() if options.cifs_users else ()),
        )

    def _cifs_requirements(self) -> Sequence[Requirement]:
        namespace = self._options.network_namespace
        return samba_requirements(self._options.cifs_port, namespace=namespace)

    def exclusive_directories(self) -> dict[str, Path]:
        """The root; the filesystem itself has a file that names the root which uses it."""
        return {"root": self._root}

    def exclusive_names(self) -> dict[str, str]:
        """The device, and the ports of the daemons with their address."""
        options = self._options
        where = (
            f"{options.address} in network namespace {options.network_namespace or 'of the system'}"
        )
        ports = {"nfs_port": options.nfs_port}
        if 3 in options.versions:
            ports["mount_port"] = options.mount_port
        if options.cifs_users:
            ports["cifs_port"] = options.cifs_port
        for number, port in enumerate(self._further_ports(), start=2):
            ports[f"nfs_port (NFS server {number})"] = port
        named = {option: f"port {port} at {where}" for option, port in ports.items()}
        return {"device": f"device {options.device}", **named}

    def _further_ports(self) -> Sequence[int]:
        """The ports of the NFS servers after the first, up to the last that has ever had an export."""
        last = Assignments(self._options.daemons / ASSIGNMENTS).numbers()[-1]
        return [self._options.nfs_server(number).nfs_port for number in range(2, last + 1)]

    # -- locks ---------------------------------------------------------------------------------
    @contextmanager
    def _lock(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[Lock]:
        folder = os.open(self._root / "locks", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with locked(folder, name, shared=shared, wait=wait) as lock:
                yield lock
        finally:
            os.close(folder)

    @contextmanager
    def _share_lock(
        self,
        operation: str,
        share_id: str,
        context: RequestContext = NO_CONTEXT,
        *,
        must_exist: bool = False,
        changes: bool = True,
    ) -> Iterator[Fence]:
        """Lock the share: the thread of an abandoned attempt may still be running.

        Yields the fence to check before each change. Raises `Overtaken` if a later attempt has begun.
        """
        checked_id("share", share_id)
        with (
            btrfs_errors(f"{operation} {share_id}"),
            self._fences.enter(share_id, context) as fence,
            self._lock(share_id) as lock,
        ):
            fence.check()  # the lock may have taken long
            self._must_run(changes)
            try:
                if must_exist:
                    self._must_exist(share_id)
                yield fence
            finally:
                if not self._pool.exists("shares", share_id):
                    lock.discard()

    def _must_run(self, changes: bool) -> None:
        if not self._pool.is_mounted:
            raise TransientError(
                f"the filesystem is not mounted at {self._pool.mount_point}: nothing was changed; start the"
                " backend"
            )
        if changes and self._pool.is_read_only:
            raise FilesystemReadOnly(
                f"the filesystem at {self._pool.mount_point} is read-only: nothing was changed; see the"
                f" kernel's log for the cause, then run `mount -o remount,rw {self._pool.mount_point}`"
            )

    def _must_exist(self, share_id: str) -> None:
        if not self._pool.exists("shares", share_id):
            raise DriverError(
                f"{self._pool.location('shares', share_id)} does not exist: nothing was changed. Put the"
                " subvolume back, or delete the share"
            )

    # -- protocols -----------------------------------------------------------------------------
    def _protocol(self, share_id: str) -> str:
        """The protocol that the share, and so its snapshots, is exported by."""
        record = self._records.read(share_of(share_id), PROTOCOL) or {}
        return str(record.get("protocol", "NFS"))

    def _access_type(self, share_id: str) -> str:
        """The type of the rules of the share."""
        return "user" if self._protocol(share_id) == "CIFS" else "ip"

    def _set_protocol(self, share: Share) -> None:
        """Record the protocol of *share* before it is exported; raises `DriverError` if it is not served."""
        if share.share_proto not in self.protocols:
            raise DriverError(
                f"share_proto {share.share_proto!r} is not served by this backend, which serves"
                f" {', '.join(self.protocols)}: nothing was changed; CIFS needs the option cifs_users"
            )
        if share.share_proto != self._protocol(share.id):
            self._records.write(share.id, PROTOCOL, {"protocol": share.share_proto})

    # -- serving: *name* is a share's id, or SHARE@SNAPSHOT -------------------------------------
    def _place(self, name: str) -> Path:
        """Where the share or snapshot is mounted to be exported."""
        return self._exports_directory / name

    def _exists(self, name: str) -> bool:
        """Whether there is the share or snapshot."""
        return self._pool.exists(area_of(name), name)

    def _subvolume(self, name: str) -> Path:
        """The path of the share or snapshot, whether or not it exists."""
        return self._pool.location(area_of(name), name)

    def _is_in_place(self, name: str) -> bool:
        """Whether the mount is that of the subvolume, which has one device number.

        Nothing is opened, which would keep another call from unmounting it.
        """
        place, subvolume = self._place(name), self._subvolume(name)
        if not is_mounted(place):
            return False
        try:
            mounted, own = os.lstat(place), os.lstat(subvolume)
        except FileNotFoundError:
            return False
        return (mounted.st_dev, mounted.st_ino) == (own.st_dev, ioctls.FIRST_INODE)

    def _mount_share(self, name: str) -> None:
        """Mount the subvolume at its place, instead of anything else that is mounted there."""
        if self._is_in_place(name):
            return
        if not is_mounted(self._exports_directory):
            raise TransientError(
                f"nothing is mounted at {self._exports_directory}: start the backend"
            )
        self._unmount_share(name)
        place = self._place(name)
        place.mkdir(0o700, exist_ok=True)
        pool = mount_at(self._pool.mount_point)
        if pool is None:
            raise TransientError(
                f"the filesystem was unmounted from {self._pool.mount_point} meanwhile"
            )
        options = f"subvolid={self._pool.tree(area_of(name), name)}"
        # a writable mount would make a filesystem writable that was made read-only
        mount(pool.source, place, "btrfs", options, read_only=self._pool.is_read_only)

    def _unmount_share(self, name: str) -> None:
        """Unmount everything at the place, and remove the place."""
        place = self._place(name)
        while is_mounted(place):
            check_deadline(f"unmounting of {place}")
            try:
                unmount(place)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                raise FilesystemBusy(
                    f"a program of this machine uses {place}: its data are untouched; end it, see"
                    f" `fuser -vm {place}`, and repeat the operation"
                ) from error
        with suppress(FileNotFoundError):
            place.rmdir()

    def _serve(self, name: str, fence: Fence, clients: Clients | None = None) -> Sequence[str]:
        """Mount and export it to *clients*; None: to those on file, or to nobody.

        Returns who was cut off, as far as that is known.
        """
        if clients is None:
            clients = self._clients_on_file(name)
        fence.check()
        if not self._is_in_place(name):
            if self._may_be_served(name) and self._exporter.served(name) is not None:
                self._records.write(name, CLIENTS, dict(clients))
                self._exporter.remove(name, fence.check)
            self._mount_share(name)
        cut = self._exporter.export(name, self._place(name), clients, fence.check)
        self._records.remove(name, CLIENTS)
        return cut

    def _may_be_served(self, name: str) -> bool:
        """Whether the daemon may have an export of it: to ask it is slow if there are many exports.

        The place is removed only after its export.
        """
        return self._place(name).exists() or self._exporter.recorded(name) is not None

    def _clients_on_file(self, name: str) -> Clients:
        """The clients of the export, or those that were saved when the export was removed for a time."""
        recorded = self._exporter.recorded(name)
        if recorded is None:
            recorded = self._records.read(name, CLIENTS) or {}
        return recorded

    def _suspend(self, name: str, fence: Fence) -> None:
        """Remove the export and the mount for a time: `_serve` restores them with the same clients."""
        fence.check()
        self._records.write(name, CLIENTS, dict(self._clients_on_file(name)))
        self._exporter.remove(name, fence.check)
        self._unmount_share(name)

    def _withdraw(self, name: str, fence: Fence) -> None:
        """Remove the export with its clients, then unmount it."""
        fence.check()
        self._exporter.remove(name, fence.check)
        fence.check()
        self._unmount_share(name)
        self._exporter.forget(name)
        for kind in (CLIENTS, REVERT, PROTOCOL):
            self._records.remove(name, kind)

    # -- the snapshots of a share --------------------------------------------------------------
    def _exported_snapshots(self, share_id: str) -> list[str]:
        """The names of the share's snapshots that are exported, or were for a time."""
        names = self._exporter.names().union(self._records.names(CLIENTS))
        return sorted(name for name in names if name.startswith(f"{share_id}@"))

    def _withdraw_snapshot(self, name: str, fence: Fence) -> None:
        """Remove the export of a snapshot with its clients, and its mount, if there are any."""
        is_known = self._may_be_served(name) or self._exporter.knows(name)
        if is_known or self._records.has_any(name, CLIENTS):
            self._withdraw(name, fence)
