"""Directories for files in the making; what a killed process left in one is removed by the next process.

Each is locked (`flock`) by its process, so an abandoned one is told from one in use.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "share-actors-scratch-"
"""No version that does not lock its directories uses it."""
_SUFFIX = ".share-actors-new"
"""So distinct that nobody else has a directory of this name, whose content would be removed."""


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """An empty directory beside *path*, for what is to get that name; removed in the end.

    Raises `OSError`, a `BlockingIOError` while another process has it.
    """
    directory = _beside(path)
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = _locked(directory)
    if descriptor is None:
        raise BlockingIOError(
            errno.EBUSY, f"another process or user has {directory.name} beside it"
        )
    try:
        for abandoned in directory.iterdir():
            shutil.rmtree(abandoned) if abandoned.is_dir() else abandoned.unlink()
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(descriptor)


def clear_beside(path: Path) -> None:
    """Remove what a killed process left beside *path*, which is there by now; nothing if it cannot be."""
    if os.path.lexists(_beside(path)):
        with suppress(OSError), scratch_beside(path):
            pass


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:80]}{_SUFFIX}")


class Scratch:
    """A private directory for temporary files, `path`; removed by `close`, or by a later process."""

    def __init__(self, purpose: str) -> None:
        prefix = f"{_PREFIX}{purpose}-"
        _remove_abandoned(prefix)
        self._descriptor: int | None = None
        while self._descriptor is None:  # another process may have taken it for an abandoned one
            self.path = Path(tempfile.mkdtemp(prefix=prefix))
            self._descriptor = _locked(self.path)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the directory; closing again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(descriptor)


def _remove_abandoned(prefix: str) -> None:
    """Remove the directories of this user that begin with *prefix* and that no process has locked."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [Path(entry) for entry in entries if entry.name.startswith(prefix)]
    for directory in found:
        descriptor = _locked(directory)
        if descriptor is not None:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(descriptor)


def _locked(directory: Path) -> int | None:
    """A descriptor that locks *directory*; None if another process has it, or another user, or it is gone."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(directory, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened, named = os.fstat(descriptor), os.lstat(directory)
            if (opened.st_dev, opened.st_ino, opened.st_uid) == (
                named.st_dev,
                named.st_ino,
                os.geteuid(),
            ):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None
