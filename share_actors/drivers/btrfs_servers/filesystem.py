"""The filesystem that all share servers have their shares on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from share_actors.drivers.btrfs.backend import BtrfsBackend
from share_actors.drivers.btrfs.exports import Clients
from share_actors.drivers.btrfs.pool import AREAS, SubvolumePool
from share_actors.drivers.filesystem.own_files import own_names
from share_actors.values import ExportLocation, ShareClient

SERVERS = "servers"
"""The directory of the top subvolume with a directory for each server."""


class ServerPool(SubvolumePool):
    """The subvolumes of one server: TOP/servers/ID, with the areas of `SubvolumePool`."""

    def __init__(self, top: Path, server_id: str) -> None:
        super().__init__(top / SERVERS / server_id, top)

    def prepare(self) -> None:
        """Create the server's directory with those of the areas unless they exist."""
        with suppress(FileExistsError):
            self.path.mkdir(0o700)
        super().prepare()

    def names(self, area: Any) -> list[str]:
        """The names of all subvolumes of an area; none if the server does not exist."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return super().names(area)
        return []

    def other_subvolumes(self) -> list[tuple[str, ...]]:
        """None: what operators make on the filesystem belongs to no server."""
        return []

    def clear(self, check: Callable[[], None]) -> None:
        """Remove the server's directory; the caller knows that there are no shares and snapshots.

        Entries that the driver did not make stay, with their directories.
        """
        for area in AREAS:
            for name in self.names(area):
                self.destroy(area, name, check)
            _remove_if_empty(self.path / area)
        _remove_if_empty(self.path)


class SharedFilesystem(BtrfsBackend):
    """The methods about the whole backend, for a filesystem whose shares belong to servers."""

    _folders: ClassVar[tuple[str, ...]] = ("locks", "meta", "pool")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exporter = NoExports()

    def pool_of(self, server_id: str) -> ServerPool:
        """The subvolumes of a server, whether or not it exists."""
        return ServerPool(self._pool.path, server_id)

    @property
    def is_mounted(self) -> bool:
        """Whether the backend is started."""
        return self._pool.is_mounted

    def must_run(self, *, changes: bool = True) -> None:
        """Raise `TransientError` unless it is mounted, and `DriverError` if *changes* are impossible."""
        self._must_run(changes)

    def _prepare_pool(self) -> None:
        super()._prepare_pool()
        if not self._pool.is_read_only:
            with suppress(FileExistsError):
                (self._pool.path / SERVERS).mkdir(0o700)

    def _mount_exports_directory(self) -> None:
        """Nothing: shares are mounted below the directories of their servers."""

    def _allocated(self) -> int:
        return sum(
            pool.limit(name) or 0 for pool in self._server_pools() for name in pool.names("shares")
        )

    def _server_pools(self) -> Iterator[ServerPool]:
        with suppress(FileNotFoundError):
            for server_id in own_names(self._pool.path / SERVERS):
                yield self.pool_of(server_id)


class NoExports:
    """The `Exporter` of a filesystem that exports nothing itself."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def problems(self) -> tuple[str, ...]:
        """None."""
        return ()

    def export(
        self, name: str, path: Path, clients: Clients, check: Callable[[], None]
    ) -> tuple[str, ...]:
        """Raise `ValueError`: servers export shares."""
        raise ValueError(f"share {name} has no server that exports it")

    def remove(self, name: str, check: Callable[[], None]) -> None:
        """Do nothing."""

    def forget(self, name: str) -> None:
        """Do nothing."""

    def knows(self, name: str) -> bool:
        """False: there is no export."""
        return False

    def recorded(self, name: str) -> Clients | None:
        """None: there is no export."""
        return None

    def served(self, name: str) -> Clients | None:
        """None: there is no export."""
        return None

    def names(self) -> frozenset[str]:
        """No names."""
        return frozenset()

    def clients(self, name: str) -> tuple[ShareClient, ...]:
        """No clients."""
        return ()

    def locations(self, name: str) -> tuple[ExportLocation, ...]:
        """No locations."""
        return ()


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        if not any(path.iterdir()):
            raise
