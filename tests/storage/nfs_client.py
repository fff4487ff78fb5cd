"""Clients of NFS exports, each in the network of its own address."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import c_void_p
from dataclasses import dataclass

from share_actors.testing.visits import Full, Gone, ReadOnly, Refused, Visit, VisitError
from share_actors.values import ExportLocation
from tests.storage.libnfs import Nfs, NfsError
from tests.storage.networks import ClientNetwork

_DQUOT = 34  # libnfs returns it for NFS3ERR_DQUOT and NFS4ERR_DQUOT
_KINDS: dict[int, type[VisitError]] = {
    errno.EPERM: Refused,
    errno.EACCES: Refused,
    errno.EROFS: ReadOnly,
    errno.ENOSPC: Full,
    _DQUOT: Full,
    errno.ENOENT: Gone,
    errno.ESTALE: Gone,
}
_NFS3_STATUS = {13: Refused, 28: Full, 30: ReadOnly, 69: Full, 70: Gone}
_HIDDEN_STATUS = re.compile(r'^p(?:read|write): .* failed with "(.)"$', re.DOTALL)
"""For version 3, libnfs 4 takes the reply of READ and WRITE for a text: its first byte is the status."""
_CHUNK = {3: 1 << 20, 4: 2048}
"""The most bytes in one write; libnfs 4 cannot encode larger ones for version 4."""
_READ = 65_536


@dataclass(frozen=True)
class NfsMount:
    """How the clients of a network mount the exports of one server."""

    network: ClientNetwork
    version: int
    port: int
    mount_port: int

    def __call__(self, who: str, export: ExportLocation) -> Visit:
        """Move this process into the client's network for good, and mount *export*."""
        self.network.enter(who)
        host, path = export.path.rsplit(":", 1)
        return NfsVisit(self, host, path)

    def connect(self, host: str, path: str, version: int | None = None) -> Nfs:
        """A new connection with the export; *version* is that of the mount by default."""
        version = version or self.version
        return Nfs(host, path, version=version, port=self.port, mount_port=self.mount_port)


class NfsVisit:
    """An export that a client in this process has mounted."""

    def __init__(self, mount: NfsMount, host: str, path: str) -> None:
        self.mount, self._where = mount, (host, path)
        with translated():
            self.nfs = mount.connect(host, path)

    def write(self, name: str, data: bytes) -> None:
        """Write through a file that is opened for it."""
        file = self.hold(name)
        file.write(data)
        file.close()

    def read(self, name: str) -> bytes:
        """Read through a file that is opened for it."""
        with translated(), self.nfs.opened(f"/{name}") as file:
            return self.nfs.read(file, 0, _READ)

    def names(self) -> list[str]:
        """List the top directory."""
        with translated():
            return self.nfs.names()

    def hold(self, name: str) -> NfsFile:
        """Open the file, or create it: libnfs cannot do both at once by version 4."""
        path = f"/{name}"
        with translated():
            try:
                file = self.nfs.open(path, os.O_RDWR)
            except NfsError as error:
                if error.errno != errno.ENOENT:
                    raise
                file = self.nfs.open(path, os.O_RDWR | os.O_CREAT)
        return NfsFile(self, path, file)

    def bulk(self) -> Nfs:
        """A connection for many bytes: by version 3, whose writes are 500 times larger."""
        return self.mount.connect(*self._where, version=3)


class NfsFile:
    """A file that a client in this process holds open."""

    def __init__(self, visit: NfsVisit, path: str, file: c_void_p) -> None:
        self._visit, self._nfs, self._path, self._file = visit, visit.nfs, path, file
        self._end = 0

    def write(self, data: bytes) -> None:
        """Write and commit."""
        with translated():
            self._nfs.write(self._file, 0, data)
            self._nfs.sync(self._file)
        self._end = max(self._end, len(data))

    def fill(self, size: int) -> None:
        """Append and commit; nearly all of many bytes by version 3."""
        with translated():
            chunk, many = _CHUNK[self._visit.mount.version], _CHUNK[3]
            if chunk < many <= size:
                bulk = self._visit.bulk()
                with bulk.opened(self._path, os.O_RDWR) as file:
                    self._append(bulk, file, size - chunk, many)
                size = chunk
            self._append(self._nfs, self._file, size, chunk)

    def close(self) -> None:
        """Close the file, also if it is gone."""
        with suppress(NfsError):
            self._nfs.close(self._file)

    def _append(self, nfs: Nfs, file: c_void_p, size: int, chunk: int) -> None:
        end = self._end + size
        while self._end < end:
            data = b"z" * min(chunk, end - self._end)
            nfs.write(file, self._end, data)
            self._end += len(data)
        nfs.sync(file)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the `VisitError` that an `NfsError` means; others are raised as they are."""
    try:
        yield
    except NfsError as error:
        kind = _kind(error.errno or 0, error.strerror or "")
        if kind is None:
            raise
        raise kind(error.strerror) from None


def _kind(number: int, text: str) -> type[VisitError] | None:
    if "Required access rw-. Allowed access r--" in text:
        return ReadOnly
    if (
        "RPC Packet not accepted by the server" in text
    ):  # its rules are asked before the call is read
        return Refused
    hidden = _HIDDEN_STATUS.match(text)
    return _NFS3_STATUS.get(ord(hidden[1])) if hidden else _KINDS.get(number)
