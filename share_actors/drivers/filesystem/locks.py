"""Locks between the threads and processes that use one root: `flock` on files that come and go."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is held."""

    folder: int
    name: str

    def discard(self) -> None:
        """Remove the lock's file, as what it guards is gone; whoever waits for it makes another."""
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.folder)


@contextmanager
def locked(folder: int, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[Lock]:
    """Hold the lock *name* of the open directory *folder*; the kernel frees it if the process dies.

    Raises `BlockingIOError` if it is held elsewhere and *wait* is false.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    fd = _take(folder, name, how)
    try:
        yield Lock(folder, name)
    finally:
        os.close(fd)


def _take(folder: int, name: str, how: int) -> int:
    while True:
        fd = os.open(name, _OPEN, 0o600, dir_fd=folder)
        try:
            fcntl.flock(fd, how)
        except BaseException:
            os.close(fd)
            raise
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # discarded while this one waited: that file guards nothing any more
