"""The directories of the driver `btrfs-servers` below its root.

servers/ID: one server, with the files of its shares (see `btrfs.base`); network.json, what its network is,
from its first step to its last one; and server.json while it is set up. daemons/TAG: the files of its
daemons. networks: addresses and fences. locks: see `filesystem.locks`. Methods raise `OSError`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from share_actors.drivers.filesystem.durable import put_file, sync_directory
from share_actors.drivers.filesystem.own_files import own_names, read_record
from share_actors.drivers.filesystem.removal import refuse_mounts, remove_tree
from share_actors.drivers.filesystem.tree import opened, opened_below
from share_actors.drivers.namespaces import ServerNetwork
from share_actors.drivers.namespaces.names import tag

FOLDERS = ("servers", "daemons", "networks", "locks")
NETWORK, SET_UP = "network.json", "server.json"
_PARTS = ("exports", "meta", "locks", f"{SET_UP}.new", f"{NETWORK}.new")
"""What a server's directory has beside its two records."""
logger = logging.getLogger(__name__)


class Servers:
    """The servers below *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Create the root and its directories unless they exist."""
        for name in FOLDERS:
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def folder(self, name: str) -> Iterator[int]:
        """Open a directory below the root; yields a file descriptor."""
        with opened_below(self._root, name) as fd:
            yield fd

    def path(self, server_id: str) -> Path:
        """The directory of a server, whether or not it exists."""
        return self._root / "servers" / server_id

    def networks(self) -> dict[str, ServerNetwork]:
        """The networks of all servers, also of those that are set up or torn down in part, by server id."""
        with suppress(FileNotFoundError):
            found = ((name, self.network(name)) for name in own_names(self._root / "servers"))
            return {name: network for name, network in found if network is not None}
        return {}

    def network(self, server_id: str) -> ServerNetwork | None:
        """The network of a server; None if there is no such server."""
        path = self.path(server_id)
        if not path.is_dir():
            return None
        try:
            return ServerNetwork.model_validate(read_record(path / NETWORK))
        except ValidationError:
            return None

    def is_set_up(self, server_id: str) -> bool:
        """Whether the server exists completely."""
        return (self.path(server_id) / SET_UP).is_file()

    def set_up_ids(self) -> list[str]:
        """The ids of the servers that are set up."""
        return [server_id for server_id in self.networks() if self.is_set_up(server_id)]

    def begin(self, server_id: str, network: ServerNetwork) -> None:
        """Record what the network of the server is going to be, before anything of it is made."""
        path = self.path(server_id)
        path.mkdir(mode=0o700, exist_ok=True)
        put_file(path / NETWORK, network.model_dump_json().encode())
        sync_directory(path.parent)

    def complete(self, server_id: str) -> None:
        """Record that the server is set up."""
        put_file(self.path(server_id) / SET_UP, b"{}")

    def revoke(self, server_id: str) -> None:
        """Record that the server is not set up any more."""
        with suppress(FileNotFoundError):
            (self.path(server_id) / SET_UP).unlink()
            sync_directory(self.path(server_id))

    def remove(self, server_id: str) -> None:
        """Remove the server's directory, last the record of its network.

        Entries that the driver did not make stay, with the directory. Raises `RefusedByBackend`, and removes
        nothing, if a filesystem is mounted inside.
        """
        with self.folder("servers") as servers, self.folder("daemons") as daemons:
            refuse_mounts(servers, server_id)
            remove_tree(daemons, tag(server_id))
            with suppress(FileNotFoundError):
                with opened(servers, (server_id,)) as fd:
                    for name in (*_PARTS, NETWORK):
                        remove_tree(fd, name)
                    strays = os.listdir(fd)
                if strays:
                    path = self.path(server_id)
                    logger.warning("%s stays: it has other entries, such as %r", path, strays[0])
                else:
                    os.rmdir(server_id, dir_fd=servers)
