"""Options of the driver `btrfs-servers`, and those of the `btrfs` backend that each server is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from share_actors.drivers.btrfs.options import BtrfsOptions, FilesystemOptions
from share_actors.drivers.ganesha import GaneshaSettings
from share_actors.drivers.namespaces import default_prefix
from share_actors.drivers.namespaces.names import tag

_LONGEST_ID = "0" * 36
"""As long as the ids of share servers."""


class BtrfsServersOptions(FilesystemOptions):
    """Options of the driver `btrfs-servers`."""

    uplink: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,15}$")] | None = None
    """The network interface that carries VLANs. Default: servers are reached from this machine alone."""
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{5}$")] | None = None
    """Prefix of names of namespaces and interfaces: 6 characters. Default: `sa` and 4 derived from `root`."""

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        try:
            _ = self.of_server(_LONGEST_ID, "127.0.0.1", "none").nfs
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ValueError(f"root is not usable for share servers: {reason}") from None
        return self

    @property
    def names_prefix(self) -> str:
        """The prefix, with the default applied."""
        return self.prefix or default_prefix(self.root)

    def of_filesystem(self) -> BtrfsOptions:
        """The options of the filesystem, which serves nothing itself."""
        return BtrfsOptions(**self._common(self.root))

    def of_server(self, server_id: str, address: str, namespace: str) -> ServerOptions:
        """The options of the shares on one server."""
        fields = self._common(self.root / "servers" / server_id)
        return ServerOptions(**fields, address=address, network_namespace=namespace)

    def _common(self, root: Path) -> dict[str, Any]:
        own = {"root", "uplink", "prefix"}
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in own}
        return {**fields, "root": root}


class ServerOptions(BtrfsOptions):
    """The options of the shares on one server; its root is ROOT/servers/ID.

    The files of its daemons are in ROOT/daemons, with short names: the paths of sockets are limited.
    """

    @property
    def daemons(self) -> Path:
        """The directory of the daemons' files."""
        return self.root.parents[1] / "daemons" / tag(self.root.name)

    @property
    def nfs(self) -> GaneshaSettings:
        """The settings of the server's NFS server, which has mounts of its own."""
        return super().nfs.model_copy(update={"own_mounts": True})
