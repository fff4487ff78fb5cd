"""The options of a private NFS-Ganesha, and the places of its files."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from share_actors.drivers.base import DriverOptions
from share_actors.drivers.supervision.files import UnitFiles

_LONGEST_SOCKET = 99
"""The limit of dbus-daemon for the path of a unix socket, in bytes."""
_PLAIN = re.compile(r"[A-Za-z0-9/._@+=,-]+")
Port = Annotated[int, Field(ge=1, le=65535)]


class GaneshaSettings(DriverOptions):
    """The options of one private NFS-Ganesha."""

    directory: Path
    """The directory of the unit's files: configuration, exports, sockets, pids, logs. Only for this unit."""
    address: str = "127.0.0.1"
    """The IP address that the daemon binds; `0.0.0.0` or `::` for all."""
    nfs_port: Port = 2049
    """The TCP port of NFS."""
    mount_port: Port = 20048
    """The TCP port of the mount protocol, used with NFSv3 only."""
    versions: tuple[int, ...] = (4,)
    """The versions of NFS: 3, 4 or both. Version 3 needs the program `rpcbind`."""
    network_namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@_.-]*$")] | None = None
    """The name below `/run/netns` of the network namespace that the daemon runs in."""
    own_mounts: bool = False
    """Run in a mount namespace of its own, as the unit always does with NFSv3."""
    mount_root: Path | None = None
    """With own mounts: the directory whose later mounts the daemon must see; it becomes a shared mount.

    Disks that are mounted elsewhere, without an export on file, the daemon then does not see unless their
    unmounting reaches it: it would keep them in use.
    """
    heartbeat_limit: Annotated[float, Field(gt=0)] = 30.0
    """How long the daemon may leave a heartbeat unanswered before it is restarted, in seconds."""

    @field_validator("directory", "mount_root")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        if not path.is_absolute() or ".." in path.parts:
            raise ValueError("must be an absolute path without '..'")
        if not _PLAIN.fullmatch(str(path)):
            raise ValueError("must consist of letters, digits and the characters / . _ @ + = , -")
        return path

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if "%" in address:
            raise ValueError("must have no zone")
        return str(ip_address(address))

    @field_validator("versions")
    @classmethod
    def _are_versions(cls, versions: tuple[int, ...]) -> tuple[int, ...]:
        if not versions or not set(versions) <= {3, 4}:
            raise ValueError("must be one or both of 3 and 4")
        return tuple(sorted(set(versions)))

    @model_validator(mode="after")
    def _fits(self) -> GaneshaSettings:
        if len(bytes(self.files.socket)) > _LONGEST_SOCKET:
            raise ValueError(
                f"directory is too long for the socket {self.files.socket}: over {_LONGEST_SOCKET} bytes"
            )
        if 3 in self.versions and self.nfs_port == self.mount_port:
            raise ValueError(f"nfs_port and mount_port are both {self.nfs_port}")
        return self

    @property
    def files(self) -> GaneshaFiles:
        """The places of the unit's files."""
        return GaneshaFiles(self.directory)


class GaneshaFiles(UnitFiles):
    """The files in the directory of a unit."""

    change_lock = "change.lock"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.socket = directory / "bus.sock"
        self.bus_config = directory / "bus.conf"
        self.config = directory / "ganesha.conf"
        self.exports = directory / "exports.d"
        """One file for each permanent export."""
        self.all_exports = directory / "exports.conf"
        """The content of all export files, written before each start of the daemon."""
        self.pending = directory / "pending"
        """The files of exports that the daemon has not yet taken."""
        self.damaged = directory / "damaged"
        """Export files that were edited by hand beyond recognition."""
        self.last_id = directory / "last_id"
        self.recovery = directory / "recovery"
        self.ganesha_pid = directory / "ganesha.pid"
        self.log = directory / "ganesha.log"

    def make(self) -> None:
        """Create the directories, for their owner alone."""
        for part in (self.exports, self.pending, self.damaged, self.recovery, self.pids):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)
