"""Clients of the driver `local`: processes of other users, which open the share's directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from share_actors.testing.visits import Full, Gone, ReadOnly, Refused, Visit
from share_actors.values import ExportLocation

_WORDS = {
    errno.EACCES: Refused,
    errno.EPERM: Refused,
    errno.ENOENT: Gone,
    errno.ESTALE: Gone,
    errno.EROFS: ReadOnly,
    errno.ENOSPC: Full,
    errno.EDQUOT: Full,
}
_CHUNK = b"z" * (1 << 20)


def visit_as(user: int, export: ExportLocation) -> Visit:
    """Become *user* for good, and open the directory *export*."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    return LocalVisit(export.path)


class LocalVisit:
    """The directory of a share, open in a process of the client's user."""

    def __init__(self, path: str) -> None:
        with _translated():
            self._top = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def write(self, name: str, data: bytes) -> None:
        file = self.hold(name)
        file.write(data)
        file.close()

    def read(self, name: str) -> bytes:
        with _translated(), os.fdopen(self._open(name, os.O_RDONLY), "rb") as file:
            return file.read()

    def names(self) -> list[str]:
        with _translated():
            if not os.fstat(self._top).st_nlink:
                raise Gone("the directory is removed")
            return sorted(os.listdir(f"/proc/self/fd/{self._top}"))

    def hold(self, name: str) -> LocalFile:
        with _translated():
            try:
                return LocalFile(self._open(name, os.O_RDWR | os.O_CREAT))
            except PermissionError as error:
                if os.access(f"/proc/self/fd/{self._top}", os.R_OK | os.X_OK):
                    raise ReadOnly(str(error)) from None
                raise

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags, 0o666, dir_fd=self._top)


class LocalFile:
    """An open file of a share."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes) -> None:
        with _translated():
            os.pwrite(self._fd, data, 0)
            os.fsync(self._fd)

    def fill(self, size: int) -> None:
        with _translated():
            os.lseek(self._fd, 0, os.SEEK_END)
            for start in range(0, size, len(_CHUNK)):
                os.write(self._fd, _CHUNK[: size - start])
            os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the `VisitError` that an `OSError` means."""
    try:
        yield
    except OSError as error:
        if error.errno in _WORDS:
            raise _WORDS[error.errno](str(error)) from None
        raise
