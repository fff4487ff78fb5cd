"""What a check may read of a machine: a protocol, and this machine. Nothing is changed or started here."""

from __future__ import annotations

import errno
import gzip
import os
import platform
import shutil
import zlib
from collections.abc import Sequence
from contextlib import suppress
from glob import glob
from pathlib import Path
from typing import NamedTuple, Protocol

import psutil

from share_actors.drivers.namespaces.listeners import processes_holding

_ADMINISTRATION = "/usr/local/sbin:/usr/sbin:/sbin"
"""Directories of daemons and tools, which the `PATH` of a user may lack."""


class Listener(NamedTuple):
    """A process that holds a port; its name is empty and its pid None if only root may know them."""

    process: str
    pid: int | None

    def __str__(self) -> str:
        return f"{self.process} (pid {self.pid})" if self.process else "a process of another user"


class Machine(Protocol):
    """A view of a machine. No method raises for something that is absent or may not be read."""

    def which(self, command: str) -> str | None:
        """The path of *command*; None if it is not installed."""

    def paths(self, pattern: str) -> Sequence[str]:
        """The existing paths that match the absolute *pattern*, also links to nowhere."""

    def read(self, path: str) -> str | None:
        """The text of a file, unpacked if its name ends in `.gz`; None if it cannot be read."""

    def kernel_release(self) -> str:
        """The release of the kernel, such as `6.1.0-18-amd64`."""

    def listeners(self, port: int, namespace: str | None = None) -> Sequence[Listener]:
        """Who holds *port*, for TCP or UDP, in the network *namespace*; default: this process's."""

    def free_bytes(self, path: Path) -> int | None:
        """What users without privileges may still write at *path*; None if it cannot be determined."""

    def supports_acls(self, path: Path) -> bool | None:
        """Whether the filesystem of *path* has POSIX ACLs; None if it cannot be determined."""


class ThisMachine:
    """The machine of this process."""

    def which(self, command: str) -> str | None:
        """The path of *command*, in `PATH` or in the directories of daemons."""
        return shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMINISTRATION}")

    def paths(self, pattern: str) -> Sequence[str]:
        """The existing paths that match *pattern*."""
        return sorted(glob(pattern))

    def read(self, path: str) -> str | None:
        """The text of the file *path*."""
        try:
            raw = Path(path).read_bytes()
            return (gzip.decompress(raw) if path.endswith(".gz") else raw).decode(errors="replace")
        except (OSError, EOFError, zlib.error):
            return None

    def kernel_release(self) -> str:
        """The release of the running kernel."""
        return platform.release()

    def listeners(self, port: int, namespace: str | None = None) -> Sequence[Listener]:
        """Who listens on *port*, each process once."""
        if namespace is not None:
            return sorted({_listener(pid) for pid in processes_holding(port, namespace)}, key=str)
        held: set[Listener] = set()
        with suppress(psutil.Error, OSError):
            for connection in psutil.net_connections("inet"):
                local, waits = connection.laddr, connection.status in (psutil.CONN_LISTEN, "NONE")
                if waits and local and local.port == port:
                    held.add(_listener(connection.pid))
        return sorted(held, key=str)

    def free_bytes(self, path: Path) -> int | None:
        """The free space of the filesystem that *path* is, or will be, in."""
        with suppress(OSError):
            status = os.statvfs(_nearest(path))
            return status.f_bavail * status.f_frsize
        return None

    def supports_acls(self, path: Path) -> bool | None:
        """Read the list of *path*, or of the directory that it will be in."""
        try:
            os.getxattr(_nearest(path), "system.posix_acl_access")
        except OSError as error:
            if error.errno == errno.ENODATA:
                return True
            return False if error.errno == errno.EOPNOTSUPP else None
        return True


def _nearest(path: Path) -> Path:
    """*path*, or the nearest directory above it that exists."""
    return next((p for p in (path, *path.parents) if os.path.lexists(p)), path)


def _listener(pid: int | None) -> Listener:
    with suppress(psutil.Error):
        if pid is not None:
            return Listener(psutil.Process(pid).name(), pid)
    return Listener("", None)
