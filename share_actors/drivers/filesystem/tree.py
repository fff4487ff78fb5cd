"""Walk, measure and remove directory trees that users may change at the same time.

No path is resolved from the top: each step opens one directory below another and does not follow symbolic
links, so users of a share cannot redirect an operation out of it.
"""

from __future__ import annotations

import ctypes
import errno
import logging
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
_OPENAT2 = 437  # the number of the system call on every architecture
_RESOLVE_NO_XDEV = 0x01
_libc = ctypes.CDLL(None, use_errno=True)
logger = logging.getLogger(__name__)


class _How(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class Sizes(NamedTuple):
    """Sizes of a tree in bytes: the content of its files, and the allocated disk space."""

    content: int
    allocated: int


@dataclass
class Folder:
    """A directory of a tree, open as `fd` until the walk continues."""

    fd: int
    name: str = ""
    parent: Folder | None = None
    """The directory above; None at the top of the tree."""
    visited: tuple[int, int] | None = None
    """Its device and inode when the walk reached it."""

    @property
    def names(self) -> Names:
        """The path from the top of the tree; empty for the top."""
        names, folder = [], self
        while folder.parent is not None:
            names.append(folder.name)
            folder = folder.parent
        return tuple(reversed(names))

    @cached_property
    def entries(self) -> list[os.DirEntry[str]]:
        """The entries of the directory, read on first use."""
        return list(os.scandir(self.fd))

    @cached_property
    def remaining(self) -> list[str]:
        """The names of the directories below that the walk has not reached yet."""
        return [e.name for e in self.entries if e.is_dir(follow_symlinks=False)]

    @property
    def identity(self) -> tuple[int, int]:
        """The device and the inode of the open directory."""
        return _identity(self.fd)

    def close(self) -> None:
        """Close the directory and forget its entries, except those that the walk has not reached yet."""
        self.__dict__.pop("entries", None)
        fd, self.fd = self.fd, -1
        os.close(fd)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


class OtherFilesystem(OSError):
    """A name inside a tree where another filesystem, or another part of this one, is mounted."""


def open_inside(parent: int, name: str, flags: int) -> int:
    """Open *name* in the open directory *parent*, never through a symbolic link.

    Raises `OtherFilesystem` if something is mounted at *name*, also a directory of the same filesystem.
    """
    how = _How(flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE_NO_XDEV)
    path = os.fsencode(name)
    fd: int = _libc.syscall(_OPENAT2, parent, path, ctypes.byref(how), ctypes.sizeof(how))
    code = ctypes.get_errno()
    if fd >= 0:
        return fd
    if code == errno.ENOSYS:  # before Linux 5.6: only other devices are noticed
        return _open_on_device(parent, name, flags)
    if code == errno.EXDEV:
        raise OtherFilesystem(code, "another filesystem is mounted there", name)
    raise OSError(code, os.strerror(code), name)


def _open_on_device(parent: int, name: str, flags: int) -> int:
    fd = os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent)
    if os.fstat(fd).st_dev == os.fstat(parent).st_dev:
        return fd
    os.close(fd)
    raise OtherFilesystem(errno.EXDEV, "another filesystem is mounted there", name)


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
    """Each directory of the tree, parents first; the caller may change one before its entries are read.

    Leaves out filesystems that are mounted inside the tree. The work is linear in the number of entries, and
    one directory is open at any depth.
    """
    folder: Folder | None = Folder(open_directory(top, "."))
    try:
        while folder is not None:
            if not folder.visited:
                folder.visited = folder.identity
                yield folder
            folder = _child(folder) or _parent(top, folder)
    finally:
        if folder is not None:
            folder.close()


def _child(folder: Folder) -> Folder | None:
    """The next directory in *folder*, open; closes *folder*, unless there is none."""
    while folder.remaining:
        name = folder.remaining.pop()
        with unless_vanished():
            try:
                fd = open_inside(folder.fd, name, _DIRECTORY)
            except OtherFilesystem:
                logger.warning("%r is left out: another filesystem is mounted there", name)
                continue
            folder.close()
            return Folder(fd, name, folder)
    return None


def _parent(top: int, folder: Folder) -> Folder | None:
    """The nearest directory above *folder* that still exists, open; closes *folder*; None above the top."""
    parent = folder.parent
    if parent is None:
        folder.close()
        return None
    parent.fd = os.open("..", _DIRECTORY, dir_fd=folder.fd)
    folder.close()
    if parent.identity == parent.visited:
        return parent
    parent.close()  # users moved the directory meanwhile: search its place from the top
    return _reopened(top, parent)


def _reopened(top: int, folder: Folder | None) -> Folder | None:
    while folder is not None:
        with unless_vanished(), opened(top, folder.names) as fd:
            if _identity(fd) == folder.visited:
                folder.fd = os.dup(fd)
                return folder
        folder = folder.parent
    return None


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
    An interrupted removal leaves the rest below *name*. Raises `OtherFilesystem` at a directory where another
    filesystem is mounted; nothing of that filesystem is removed.
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
    fd = open_inside(parent, name, os.O_PATH | os.O_DIRECTORY)
    try:
        if os.geteuid() != 0:
            os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
        return open_directory(fd, ".")
    finally:
        os.close(fd)
