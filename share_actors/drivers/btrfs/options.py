"""Options of the driver `btrfs`."""

from __future__ import annotations

import ipaddress
from itertools import islice
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from share_actors.drivers.base import DriverError, DriverOptions
from share_actors.drivers.btrfs.ioctls import QuotaMode
from share_actors.drivers.ganesha import GaneshaSettings
from share_actors.drivers.samba import SambaSettings, UserName

EXPORTS_PER_INSTANCE = 300
"""One server with 1,000 exports takes more than a second to serve again after its death."""
_LAST_PORT = 65535
Port = Annotated[int, Field(ge=1, le=65535)]


class FilesystemOptions(DriverOptions):
    """Options of every driver whose shares are subvolumes."""

    device: Path
    """A block device with a btrfs filesystem, or an image file of one. Absolute."""
    root: Path
    """An absolute path on a disk: mount points, access rules, and the files of Ganesha are below it."""
    image_size_gib: Annotated[int, Field(ge=1, le=65536)] | None = None
    """For trials: create and format `device`, a sparse file of this size, if there is no such file."""
    quota_mode: QuotaMode = "simple"
    """`simple`: all data written to a share count. `qgroup`: the data that it contains now; much slower."""
    nfs_port: Port = 2049
    """The TCP port of NFS."""
    mount_port: Port = 20048
    """The port of the mount protocol of NFSv3."""
    versions: tuple[Annotated[int, Field(ge=3, le=4)], ...] = Field((4,), min_length=1)
    """The NFS versions to serve; version 3 needs rpcbind."""
    exports_per_instance: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Exports of one NFS server; a further one is started at the next port. Default: 300; with NFSv3 all."""
    cifs_users: dict[UserName, SecretStr] = {}
    """The users of CIFS shares with their passwords. Without users the backend serves NFS alone."""
    cifs_port: Port = 445
    """The TCP port of CIFS."""
    reserved_percentage: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Percentage of the capacity that is left free."""
    max_over_subscription_ratio: Annotated[float, Field(ge=1, le=1_000_000)] = 20.0
    """How far the sizes of all shares may exceed the capacity: shares only take up their content."""

    @field_validator("device", "root")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute() or ".." in path.parts:
            raise ValueError("must be an absolute path without '..'")
        return path

    @model_validator(mode="after")
    def _has_one_server_with_3(self) -> Self:
        if 3 in self.versions and self.exports_per_instance is not None:
            raise ValueError(
                f"exports_per_instance is {self.exports_per_instance}, and versions has 3: rpcbind names one"
                " port for each program, so that clients of NFSv3 reach a single server. Remove 3 from"
                " versions, or remove exports_per_instance: then one server has all exports"
            )
        return self

    @property
    def exports_a_server(self) -> int | None:
        """How many exports an NFS server has; None: all of them."""
        return None if 3 in self.versions else self.exports_per_instance or EXPORTS_PER_INSTANCE


class BtrfsOptions(FilesystemOptions):
    """Options of the driver `btrfs`."""

    address: str = "127.0.0.1"
    """The IP address that clients mount from."""
    network_namespace: str | None = None
    """The network namespace that the daemons run in. Default: that of the system."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            raise ValueError(f"must be an IP address, not {address!r}") from None

    @model_validator(mode="after")
    def _can_serve_cifs(self) -> Self:
        if self.cifs_users:
            try:
                _ = self.cifs
            except ValidationError as error:
                raise ValueError(
                    f"root is not usable for CIFS: {error.errors()[0]['msg']}"
                ) from None
        return self

    @property
    def daemons(self) -> Path:
        """The directory of the daemons' files."""
        return self.root

    @property
    def cifs(self) -> SambaSettings:
        """The settings of the CIFS server."""
        return SambaSettings(
            directory=self.daemons / "samba",
            address=self.address,
            port=self.cifs_port,
            network_namespace=self.network_namespace,
        )

    def nfs_server(self, number: int) -> GaneshaSettings:
        """The settings of the NFS server with this number, from 1; raises `DriverError` if no port is left.

        Their ports follow one another, without those of other protocols. All but the first serve version 4
        alone: see `exports_per_instance`.
        """
        first = self.nfs
        if number == 1:
            return first
        others = (
            port
            for port in range(self.nfs_port + 1, _LAST_PORT + 1)
            if port not in (self.mount_port, self.cifs_port)
        )
        port = next(islice(others, number - 2, None), None)
        if port is None:
            raise DriverError(
                f"NFS server {number} has no port: all from nfs_port {self.nfs_port} on are used; nothing was"
                " changed. Raise exports_per_instance"
            )
        directory = self.daemons / f"nfs-{number}"
        changes = {"directory": directory, "nfs_port": port, "versions": (4,)}
        return first.model_copy(update=changes)

    @property
    def nfs(self) -> GaneshaSettings:
        """The settings of the first NFS server."""
        return GaneshaSettings(
            directory=self.daemons / "ganesha",
            address=self.address,
            nfs_port=self.nfs_port,
            mount_port=self.mount_port,
            versions=self.versions,
            network_namespace=self.network_namespace,
            mount_root=self.root / "exports",
        )
