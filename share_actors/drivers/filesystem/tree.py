"""Walking, measuring and removing trees that their users may change meanwhile.

No path is ever resolved by name from the top: each step opens one directory beneath another and
follows no symbolic link, so nothing that a share's users put there leads out of it.
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
"""The way from the top of a tree to something in it."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}  # the latter two: replaced by something else
_BLOCK = 512  # the unit of st_blocks, whatever the filesystem's own


class Sizes(NamedTuple):
    """Of a tree, in bytes: what its files hold, and what they take up on the disk."""

    content: int
    allocated: int


@dataclass
class Folder:
    """A directory of a tree, open as `fd` until the walk goes on."""

    names: Names
    fd: int

    @cached_property
    def entries(self) -> list[os.DirEntry[str]]:
        """What is in it, read when first asked for."""
        with os.scandir(self.fd) as found:
            return list(found)


def open_directory(parent: int, name: str) -> int:
    """Open the directory *name* of the open directory *parent*; never through a symbolic link."""
    return os.open(name, _DIRECTORY, dir_fd=parent)


@contextmanager
def opened(top: int, names: Names = ()) -> Iterator[int]:
    """The directory that *names* lead to from the open directory *top*, as a file descriptor."""
    fd = open_directory(top, ".")
    try:
        for name in names:
            above, fd = fd, open_directory(fd, name)
            os.close(above)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def unless_vanished() -> Iterator[None]:
    """Pass over what a share's users removed, or replaced, between two steps."""
    try:
        yield
    except OSError as error:
        if error.errno not in _VANISHED:
            raise


def walk(top: int) -> Iterator[Folder]:
    """Each directory of the tree, parents first; its entries are not read before it is given out."""
    todo: list[Names] = [()]
    while todo:
        names = todo.pop()
        with unless_vanished(), opened(top, names) as fd:
            folder = Folder(names, fd)
            yield folder
            todo += [(*names, e.name) for e in folder.entries if e.is_dir(follow_symlinks=False)]


def measure(top: int) -> Sizes:
    """How large the tree is; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    content = allocated = 0
    for found in _stats(top):
        if (found.st_dev, found.st_ino) in seen:
            continue
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            seen.add((found.st_dev, found.st_ino))
        content += found.st_size if stat.S_ISREG(found.st_mode) else 0
        allocated += found.st_blocks * _BLOCK
    return Sizes(content, allocated)


def _stats(top: int) -> Iterator[os.stat_result]:
    for folder in walk(top):
        yield os.fstat(folder.fd)
        for entry in folder.entries:
            if not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False)


def remove_tree(parent: int, name: str) -> None:
    """Remove *name*, whatever it is and however deep, from the open directory *parent*.

    Directories below are moved up beside each other and emptied there, which needs two open files at
    any depth, and leaves all that remains beneath *name* if it is interrupted.
    """
    try:
        top = _open_own_directory(parent, name)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(name, dir_fd=parent)
        return
    try:
        while found := os.listdir(top):
            for each in found:
                _remove_entry(top, each)
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
    """Open a directory that is to go; its mode keeps only root from nothing, so set it first."""
    if os.geteuid() != 0:
        fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
        finally:
            os.close(fd)
    return open_directory(parent, name)
