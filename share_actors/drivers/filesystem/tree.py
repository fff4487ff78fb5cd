"""Walk and measure directory trees that users may change at the same time.

No path is resolved from the top: each step opens one directory below another and does not follow symbolic
links, so users of a share cannot redirect an operation out of it.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

Names = tuple[str, ...]
"""The path from the top of a tree to one of its entries."""
Steps = tuple[tuple[str, int], ...]
"""The path from the top of a tree to a directory: the name and the inode at each step."""
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
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
    depth: int = field(init=False, default=0)
    """The number of directories above it in the tree."""

    def __post_init__(self) -> None:
        self.depth = self.parent.depth + 1 if self.parent else 0

    @property
    def path(self) -> Steps:
        """The names from the top of the tree, each with the inode that the walk found; empty for the top."""
        return tuple((folder.name, (folder.visited or (0, 0))[1]) for folder in self.chain[1:])

    @property
    def chain(self) -> list[Folder]:
        """The directories from the top of the tree to this one."""
        chain, folder = [self], self
        while folder.parent is not None:
            folder = folder.parent
            chain.append(folder)
        return chain[::-1]

    @cached_property
    def _listing(self) -> tuple[list[str], list[str]]:
        files: list[str] = []
        directories: list[str] = []
        with os.scandir(self.fd) as entries:
            for entry in entries:
                is_directory = entry.is_dir(follow_symlinks=False)
                (directories if is_directory else files).append(entry.name)
        return sorted(files), sorted(directories)

    @property
    def files(self) -> list[str]:
        """The names of all entries but directories, in order; the directory is read on first use."""
        return self._listing[0]

    @property
    def directories(self) -> list[str]:
        """The names of the directories in it, in order; the directory is read on first use."""
        return self._listing[1]

    @cached_property
    def remaining(self) -> list[str]:
        """The names of the directories below that the walk has not reached yet, the next one last."""
        return self.directories[::-1]

    @property
    def identity(self) -> tuple[int, int]:
        """The device and the inode of the open directory."""
        return _identity(self.fd)

    def close(self) -> None:
        """Close the directory and forget its entries, except those that the walk has not reached yet."""
        self.__dict__.pop("_listing", None)
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
    return os.open(name, DIRECTORY, dir_fd=parent)


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
def opened_below(root: Path, *names: str) -> Iterator[int]:
    """Open the directory at the path *names* below *root*, which may be a link; yields a file descriptor."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with opened(top, names) as fd:
            yield fd
    finally:
        os.close(top)


@contextmanager
def unless_vanished() -> Iterator[None]:
    """Skip an entry that users of the share removed or replaced between two steps."""
    try:
        yield
    except OSError as error:
        if error.errno not in _VANISHED:
            raise


def walk(top: int, start: Steps = ()) -> Iterator[Folder]:
    """Each directory of the tree, parents first; the caller may change one before its entries are read.

    Directories with the same parent come in the order of their names. With *start*, the walk begins at that
    directory and leaves out those before it. Leaves out filesystems that are mounted inside the tree. The
    work is linear in the number of entries, and one directory is open at any depth.
    """
    first = Folder(open_directory(top, "."))
    folder: Folder | None = first
    try:
        for name, inode in start:
            if (below := _resumed(first, name, inode)) is None:
                break
            folder = first = below
        while folder is not None:
            if not folder.visited:
                folder.visited = folder.identity
                yield folder
            folder = _child(folder) or _parent(top, folder)
    finally:
        if folder is not None:
            folder.close()


def _resumed(folder: Folder, name: str, inode: int) -> Folder | None:
    """The directory *name* in *folder*, open, and *folder* closed; None if it is not the one with *inode*.

    What comes before it remains left out in both cases.
    """
    folder.visited = folder.identity
    folder.remaining = [later for later in reversed(folder.directories) if later > name]
    with unless_vanished(), suppress(OtherFilesystem):
        fd = open_inside(folder.fd, name, DIRECTORY)
        if _identity(fd)[1] == inode:
            folder.close()
            return Folder(fd, name, folder)
        os.close(fd)
    folder.remaining.append(name)
    return None


def _child(folder: Folder) -> Folder | None:
    """The next directory in *folder*, open; closes *folder*, unless there is none."""
    while folder.remaining:
        name = folder.remaining.pop()
        with unless_vanished():
            try:
                fd = open_inside(folder.fd, name, DIRECTORY)
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
    parent.fd = os.open("..", DIRECTORY, dir_fd=folder.fd)
    folder.close()
    if parent.identity == parent.visited:
        return parent
    parent.close()  # users moved the directory meanwhile: search its place from the top
    return _reopened(top, parent)


def _reopened(top: int, folder: Folder) -> Folder:
    """The deepest directory of the path to *folder* that is still at its place, open."""
    chain = folder.chain
    found, found.fd = chain[0], open_directory(top, ".")
    for below in chain[1:]:
        with unless_vanished():
            below.fd = open_directory(found.fd, below.name)
            if below.identity == below.visited:
                found.close()
                found = below
                continue
            below.close()
        break
    return found


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
        for name in folder.files:
            with suppress(FileNotFoundError):
                yield os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
