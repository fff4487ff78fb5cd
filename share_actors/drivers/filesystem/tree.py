"""Walk, measure and remove directory trees that users may change at the same time.

No path is resolved from the top: each step opens one directory below another and does not follow symbolic
links, so users of a share cannot redirect an operation out of it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Names = tuple[str, ...]
"""The path from the top of a tree to one of its entries."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}  # ENOTDIR, ELOOP: replaced by another type
_BLOCK = 512  # the unit of st_blocks on every filesystem


class Sizes(NamedTuple):
    """Sizes of a tree in bytes: the content of its files, and the allocated disk space."""

    content: int
    allocated: int


@dataclass
class Folder:
    """A directory of a tree, open as `fd` until the walk continues."""

    names: Names
    fd: int

    @cached_property
    def entries(self) -> list[os.DirEntry[str]]:
        """The entries of the directory, read on first use."""
        with os.scandir(self.fd) as entries:
            return list(entries)


def open_directory(parent: int, name: str) -> int:
    """Open the directory *name* of the open directory *parent*; never through a symbolic link."""
    return os.open(name, _DIRECTORY, dir_fd=parent)


@contextmanager
def opened(top: int, names: Names = ()) -> Iterator[int]:
    """Open the directory at the path *names* below the open directory *top*; yields a file descriptor."""
    fd = open_directory(top, ".")
    try:
        for name in names:
            parent, fd = fd, open_directory(fd, name)
            os.close(parent)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def unless_vanished() -> Iterator[None]:
    """Skip an entry that users of the share removed or replaced between two steps."""
    try:
        yield
    except OSError as error:
        if error.errno not in _VANISHED:
            raise


def walk(top: int) -> Iterator[Folder]:
    """Each directory of the tree, parents first; the caller may change one before its entries are read."""
    remaining: list[Names] = [()]
    while remaining:
        names = remaining.pop()
        with unless_vanished(), opened(top, names) as fd:
            folder = Folder(names, fd)
            yield folder
            remaining += [
                (*names, e.name) for e in folder.entries if e.is_dir(follow_symlinks=False)
            ]


def measure(top: int) -> Sizes:
    """The sizes of the tree; a file with several hard links counts once."""
    seen: set[tuple[int, int]] = set()
    content = allocated = 0
    for status in _stats(top):
        if (status.st_dev, status.st_ino) in seen:
            continue
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            seen.add((status.st_dev, status.st_ino))
        content += status.st_size if stat.S_ISREG(status.st_mode) else 0
        allocated += status.st_blocks * _BLOCK
    return Sizes(content, allocated)


def _stats(top: int) -> Iterator[os.stat_result]:
    for folder in walk(top):
        yield os.fstat(folder.fd)
        for entry in folder.entries:
            if not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False)


def remove_tree(parent: int, name: str) -> None:
    """Remove *name*, a file or a tree of any depth, from the open directory *parent*.

    Nested directories are moved up into *name* and emptied there, which needs two open files at any depth.
    An interrupted removal leaves the rest below *name*.
    """
    try:
        top = _open_own_directory(parent, name)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(name, dir_fd=parent)
        return
    try:
        while entries := os.listdir(top):
            for entry in entries:
                _remove_entry(top, entry)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _remove_entry(top: int, name: str) -> None:
    with suppress(FileNotFoundError):
        try:
            fd = _open_own_directory(top, name)
        except NotADirectoryError:
            os.unlink(name, dir_fd=top)
            return
        try:
            _empty(fd, top)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=top)


def _empty(folder: int, top: int) -> None:
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.close(_open_own_directory(folder, name))
                os.rename(name, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(name, dir_fd=folder)


def _open_own_directory(parent: int, name: str) -> int:
    """Open a directory to remove it; its mode may exclude any user but root, so it is changed first."""
    if os.geteuid() != 0:
        fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
        finally:
            os.close(fd)
    return open_directory(parent, name)
