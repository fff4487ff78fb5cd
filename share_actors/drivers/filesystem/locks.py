"""Locks between the threads and processes that use one root: `flock` on files that can be removed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
_HELD: ContextVar[tuple[int, ...]] = ContextVar("held", default=())


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock while it is locked: the open directory of its file, and the file's name."""

    folder: int
    name: str

    def discard(self) -> None:
        """Remove the lock's file after its object was deleted; waiting callers create a new file."""
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.folder)


@contextmanager
def locked(folder: int, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[Lock]:
    """Lock *name* in the open directory *folder*, until this block and the commands run in it have ended.

    If the process dies, the kernel releases the lock once the last such command has ended. Raises
    `BlockingIOError` if the lock is taken and *wait* is false.
    """
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    fd = open_locked(folder, name, operation)
    try:
        with kept_by_commands(fd):
            yield Lock(folder, name)
    finally:
        os.close(fd)


@contextmanager
def kept_by_commands(fd: int) -> Iterator[None]:
    """Let the commands that are run in the block keep the lock of the open file *fd* until they end."""
    before = _HELD.get()
    _HELD.set((*before, fd))
    try:
        yield
    finally:
        _HELD.set(before)


def held_locks() -> tuple[int, ...]:
    """The open files whose locks a command keeps that is run now."""
    return _HELD.get()


def open_locked(folder: int, name: str, operation: int) -> int:
    """Open the file *name*, created if it is missing, and lock it; the caller closes it."""
    while True:
        fd = os.open(name, _OPEN, 0o600, dir_fd=folder)
        try:
            fcntl.flock(fd, operation)
        except BaseException:
            os.close(fd)
            raise
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # The file was discarded during the wait: lock its replacement.
