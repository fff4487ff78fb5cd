"""The directories of the driver `local-servers` below its root.

servers/ID: one server, with the layout of a `local` backend and `server.json`, once it is set up.
networks/ID.json: the addresses of a server. locks/: see `filesystem.locks`. Methods raise `OSError`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from share_actors.drivers.filesystem.own_files import own_names
from share_actors.drivers.filesystem.removal import refuse_mounts, remove_tree
from share_actors.drivers.filesystem.server_addresses import new_name, write_record
from share_actors.drivers.filesystem.tree import opened, opened_below
from share_actors.drivers.local.layout import Layout

FOLDERS = ("servers", "trash", "locks", "networks")
SERVER_FILE = "server.json"
"""The file that a server's directory has once the server is set up."""
logger = logging.getLogger(__name__)


class ServerDirectories:
    """The servers below *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Create the root and its directories unless they exist."""
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        for name in FOLDERS:
            (self.root / name).mkdir(mode=0o711 if name == "servers" else 0o700, exist_ok=True)

    @contextmanager
    def folder(self, name: str) -> Iterator[int]:
        """Open a directory below the root; yields a file descriptor."""
        with opened_below(self.root, name) as fd:
            yield fd

    # -- servers ---------------------------------------------------------------------------------
    def path(self, server_id: str) -> Path:
        """The path of a server, whether or not it exists."""
        return self.root / "servers" / server_id

    def server_ids(self) -> list[str]:
        """The ids of the servers that are set up; other directories beside them are not servers."""
        return [name for name in own_names(self.root / "servers") if self.is_set_up(name)]

    def is_set_up(self, server_id: str) -> bool:
        """Whether the server exists completely."""
        return (self.path(server_id) / SERVER_FILE).is_file()

    def record_server(self, server_id: str, record: dict[str, Any]) -> None:
        """Record that the server is set up."""
        write_record(self.path(server_id) / SERVER_FILE, record)

    def allocated_gib(self, server_id: str) -> int:
        """The sizes of all shares on the server; 0 if it does not exist, or not any more."""
        try:
            return sum(Layout(self.path(server_id)).sizes().values())
        except FileNotFoundError:
            return 0

    def share_ids(self, server_id: str) -> list[str]:
        """The ids of the shares on the server; none if it does not exist."""
        try:
            return Layout(self.path(server_id)).share_ids()
        except FileNotFoundError:
            return []

    def remove(self, server_id: str) -> None:
        """Remove the server, which has no shares; first its file, so that it is not set up any more.

        Entries that the driver did not make stay, with the directory. Raises `RefusedByBackend`, and removes
        nothing, if a filesystem is mounted inside.
        """
        with self.folder("servers") as servers:
            refuse_mounts(servers, server_id)
        with self.folder("trash") as fd:
            remove_tree(fd, server_id)  # left by an interrupted attempt of an earlier version
        with self.folder("servers") as servers, suppress(FileNotFoundError):
            with opened(servers, (server_id,)) as fd:
                for name in (SERVER_FILE, new_name(SERVER_FILE)):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=fd)
                Layout(self.path(server_id)).clear()
                strays = os.listdir(fd)
            if strays:
                path = self.path(server_id)
                logger.warning("%s stays: it has other entries, such as %r", path, strays[0])
            else:
                os.rmdir(server_id, dir_fd=servers)
