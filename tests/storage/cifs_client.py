"""Clients of CIFS exports, each a user with a password and a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import smbclient
from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBOSError

from share_actors.testing.visits import Full, Gone, ReadOnly, Refused, VisitError
from share_actors.values import ExportLocation

_CHUNK = 1 << 20
_CLOSED_S = 5.0
_STATUS: dict[int, type[VisitError]] = {
    0xC0000022: Refused,  # STATUS_ACCESS_DENIED
    0xC000006D: Refused,  # STATUS_LOGON_FAILURE
    0xC000006E: Refused,  # STATUS_ACCOUNT_RESTRICTION
    0xC00000C9: Refused,  # STATUS_NETWORK_NAME_DELETED: cut off from the share
    0xC0000203: Refused,  # STATUS_USER_SESSION_DELETED
    0xC000007F: Full,  # STATUS_DISK_FULL
    0xC0000044: Full,  # STATUS_QUOTA_EXCEEDED
    0xC00000CC: Gone,  # STATUS_BAD_NETWORK_NAME
    0xC0000034: Gone,  # STATUS_OBJECT_NAME_NOT_FOUND
    0xC0000128: Gone,  # STATUS_FILE_CLOSED
}


class CifsVisit:
    """An export that a user has mounted."""

    def __init__(self, host: str, share: str, port: int, user: str, password: str) -> None:
        self._cache: dict[str, Any] = {}
        self._files: list[CifsFile] = []
        self._top = rf"\\{host}\{share}"
        self._host, self._port = host, port
        self._login: dict[str, Any] = {
            "username": user,
            "password": password,
            "port": port,
            "connection_cache": self._cache,
            "auth_protocol": "ntlm",
        }
        # smbd serves all connections of one client id in one process: each visit has an id of its own
        connection = Connection(uuid4(), host, port)
        self._cache[f"{host.lower()}:{port}"] = connection
        try:
            with translated():
                connection.connect()
            self.names()
        except BaseException:
            self.unmount()
            raise

    def write(self, name: str, data: bytes) -> None:
        """Write through a file that is opened for it."""
        file = self.hold(name)
        file.write(data)
        file.close()

    def read(self, name: str) -> bytes:
        """Read through a file that is opened for it."""
        with translated(), self._open(name, "rb") as file:
            content: bytes = file.read()
        return content

    def names(self) -> list[str]:
        """List the top directory."""
        with translated():
            return sorted(smbclient.listdir(self._top, **self._login))

    def hold(self, name: str) -> CifsFile:
        """Open the file, or create it."""
        with translated(writing=True):
            file = CifsFile(self._open(name, "a+b"))  # it opens or creates at once
        self._files.append(file)
        return file

    def enter(self, share: str) -> list[str]:
        """The files of another share of the same server, over the same session."""
        with translated():
            return sorted(smbclient.listdir(rf"\\{self._host}\{share}", **self._login))

    def unmount(self) -> None:
        """Close the connection, also if the server has closed it before."""
        for file in self._files:
            file.close()
        for connection in self._cache.values():
            with suppress(SMBException, OSError, ValueError):
                connection.disconnect(close=False, timeout=_CLOSED_S)

    def _open(self, name: str, mode: str) -> Any:
        path = rf"{self._top}\{name}"
        return smbclient.open_file(path, mode, buffering=0, share_access="rwd", **self._login)


class CifsFile:
    """A file that a user holds open."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._end = 0

    def write(self, data: bytes) -> None:
        """Write at the beginning, and have it stored."""
        with translated(writing=True):
            self._file.seek(0)
            self._file.write(data)
            self._file.fd.flush()
        self._end = max(self._end, len(data))

    def fill(self, size: int) -> None:
        """Append, and have it stored."""
        with translated(writing=True):
            end = self._end + size
            while self._end < end:
                self._file.seek(self._end)
                self._end += self._file.write(b"z" * min(_CHUNK, end - self._end))
            self._file.fd.flush()

    def close(self) -> None:
        """Close the file, also if it is gone."""
        try:
            self._file.close()
        except (SMBException, OSError, ValueError):
            self._file.fd._connected = False  # else it warns of a handle that was never closed


class CifsMounts:
    """Mounts CIFS export locations as users with these *passwords*, and unmounts them at the end."""

    def __init__(self, port: int, passwords: Mapping[str, str]) -> None:
        self._port, self._passwords = port, passwords
        self._made: list[CifsVisit] = []

    def __call__(self, export: ExportLocation, who: str) -> CifsVisit:
        """Mount *export*, whose path is `\\\\HOST\\SHARE`."""
        _, _, host, share = export.path.split("\\")
        return self.visit(host, share, who)

    def visit(self, host: str, share: str, who: str, password: str | None = None) -> CifsVisit:
        """Mount a share as the user *who*, by default with its password."""
        secret = self._passwords[who] if password is None else password
        visit = CifsVisit(host, share, self._port, who, secret)
        self._made.append(visit)
        return visit

    def end(self) -> None:
        """Unmount all."""
        for visit in self._made:
            visit.unmount()


@contextmanager
def cifs_mounts(port: int, passwords: Mapping[str, str]) -> Iterator[CifsMounts]:
    """Mounts that end with the block."""
    mounts = CifsMounts(port, passwords)
    try:
        yield mounts
    finally:
        mounts.end()


@contextmanager
def translated(*, writing: bool = False) -> Iterator[None]:
    """Raise the `VisitError` that an error of the server means; others are raised as they are.

    Who is connected and denied *writing* may still read: a client that may not is cut off.
    """
    try:
        yield
    except (SMBException, SMBOSError) as error:
        kind = _kind(error)
        if kind is None:
            raise
        raise (ReadOnly if writing and kind is Refused and _status(error) == 0xC0000022 else kind)(
            str(error)
        ) from None


def _status(error: Exception) -> int:
    return int(getattr(error, "ntstatus", 0) or getattr(error, "status", 0) or 0)


def _kind(error: Exception) -> type[VisitError] | None:
    if isinstance(error, SMBConnectionClosed):
        return Refused
    return _STATUS.get(_status(error))
