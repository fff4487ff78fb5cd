"""The shares on one server: a `btrfs` backend within a directory of the filesystem of all."""

from __future__ import annotations

from typing import Any, ClassVar

from share_actors.drivers.base import TransientError
from share_actors.drivers.btrfs.driver import BtrfsDriver
from share_actors.drivers.btrfs.errors import btrfs_errors
from share_actors.drivers.btrfs_servers.filesystem import ServerPool
from share_actors.drivers.ganesha.namespaces import share_mounts_of


class SharesOfServer(BtrfsDriver):
    """The driver `btrfs` for the shares on one server; *pool* has their subvolumes."""

    _folders: ClassVar[tuple[str, ...]] = ("locks", "meta", "exports")

    def __init__(self, pool: ServerPool, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool: ServerPool = pool

    @property
    def server_id(self) -> str:
        """The id of the server."""
        return self._root.name

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the server's mounts and daemons, one sentence each."""
        with btrfs_errors(f"check {self._root}"):
            return (*self._mount_problems(), *self._exporter.problems())

    def _mount_pool(self) -> None:
        if not self._pool.is_mounted:
            raise TransientError(
                f"the filesystem is not mounted at {self._pool.mount_point}: start the backend"
            )

    def _release_pool(self) -> None:
        """Nothing: the other servers use it too."""

    def _prepare_pool(self) -> None:
        if not self._pool.is_read_only:
            self._pool.prepare()

    def _mount_exports_directory(self) -> None:
        super()._mount_exports_directory()
        # before shares are mounted there: no mount namespace that is made meanwhile keeps one of them
        share_mounts_of(self._exports_directory)
