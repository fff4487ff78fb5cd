"""Copies of trees: shared blocks where the filesystem can (reflinks), else holes kept as holes."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from share_actors.drivers.filesystem.tree import (
    Folder,
    Names,
    measure,
    opened,
    unless_vanished,
    walk,
)

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
"""Told the bytes done and the bytes in all, after each file and each chunk of a large one."""
LOG_EVERY_S = 10.0
CHUNK = 16 * 1024 * 1024
_FICLONE = 0x40049409
_CANNOT = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
_libc = ctypes.CDLL(None, use_errno=True)


def quiet(done: int, total: int) -> None:
    """Tell nobody."""


def logged(what: str, progress: Progress) -> Progress:
    """*progress*, and a line in the log every `LOG_EVERY_S` seconds."""
    last = time.monotonic()

    def follow(done: int, total: int) -> None:
        nonlocal last
        progress(done, total)
        if time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            logger.info("%s: %d of %d bytes", what, done, total)

    return follow


def copy_tree(source: int, target: int, progress: Progress = quiet) -> None:
    """Copy all of the open directory *source* into the empty open directory *target*.

    Kept: modes, times, extended attributes and ACLs, symbolic links as such, hard links within the
    tree, holes, fifos and sockets; owners and devices where the process may. What vanishes meanwhile
    is left out. *target* must be out of others' reach. Raises `OSError`.
    """
    _Copy(source, target, progress).run()


def sync_filesystem(fd: int) -> None:
    """Write all of the filesystem of *fd* to the disk: one wait, not one for each file of a tree."""
    if _libc.syncfs(fd):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@dataclass(frozen=True, slots=True)
class _Traits:
    """What a file or directory is, besides its content."""

    stat: os.stat_result
    attributes: dict[str, bytes]

    @classmethod
    def of(cls, fd: int) -> _Traits:
        return cls(os.fstat(fd), dict(_attributes(fd)))

    def give(self, fd: int) -> None:
        mode = stat.S_IMODE(self.stat.st_mode)
        try:
            os.chown(fd, self.stat.st_uid, self.stat.st_gid)
        except PermissionError:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)  # must not become another owner's privilege
        os.chmod(fd, mode)
        for name, value in self.attributes.items():
            _set_attribute(fd, name, value)
        os.utime(fd, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


class _Copy:
    def __init__(self, source: int, target: int, progress: Progress) -> None:
        self._source, self._target, self._progress = source, target, progress
        self._total = measure(source).content
        self._done = 0
        self._links: dict[tuple[int, int], Names] = {}
        self._reflinks = True  # until the filesystem says that it has none

    def run(self) -> None:
        folders: list[tuple[Names, _Traits]] = []
        for folder in walk(self._source):
            folders.append((folder.names, _Traits.of(folder.fd)))
            with opened(self._target, folder.names) as into:
                for entry in folder.entries:
                    with unless_vanished():
                        self._entry(folder, entry, into)
        for names, traits in reversed(folders):  # last: what was put in them changed their times
            with opened(self._target, names) as fd:
                traits.give(fd)

    def _entry(self, folder: Folder, entry: os.DirEntry[str], into: int) -> None:
        found, name = entry.stat(follow_symlinks=False), entry.name
        if stat.S_ISDIR(found.st_mode):
            os.mkdir(name, 0o700, dir_fd=into)
        elif found.st_nlink > 1 and (first := self._links.get((found.st_dev, found.st_ino))):
            self._link(first, name, into)
        else:
            self._new(folder, name, found, into)
            if found.st_nlink > 1:
                self._links[found.st_dev, found.st_ino] = (*folder.names, name)

    def _link(self, first: Names, name: str, into: int) -> None:
        with opened(self._target, first[:-1]) as where:
            os.link(first[-1], name, src_dir_fd=where, dst_dir_fd=into, follow_symlinks=False)

    def _new(self, folder: Folder, name: str, found: os.stat_result, into: int) -> None:
        if stat.S_ISREG(found.st_mode):
            self._file(folder.fd, name, into)
            return
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=folder.fd), name, dir_fd=into)
        elif not _made_node(name, found, into):
            return
        with suppress(PermissionError):
            os.chown(name, found.st_uid, found.st_gid, dir_fd=into, follow_symlinks=False)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=into, follow_symlinks=False)

    def _file(self, folder: int, name: str, into: int) -> None:
        # O_NONBLOCK: it may have become a fifo meanwhile, and that must not stop us.
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            traits = _Traits.of(source)
            if stat.S_ISREG(traits.stat.st_mode):
                self._content(source, traits, name, into)
        finally:
            os.close(source)

    def _content(self, source: int, traits: _Traits, name: str, into: int) -> None:
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=into)
        try:
            size = traits.stat.st_size
            self._reflinks = self._reflinks and _reflinked(source, target)
            if not self._reflinks:
                for done in _copied(source, target, size):
                    if done < size:
                        self._progress(self._done + done, self._total)
            self._done += size
            self._progress(self._done, self._total)
            traits.give(target)
        finally:
            os.close(target)


def _reflinked(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _copied(source: int, target: int, size: int) -> Iterator[int]:
    """Copy what is not a hole, and say how far it got after each chunk."""
    for start, end in _extents(source, size):
        at = start
        while at < end and (count := _copy_range(source, target, at, min(CHUNK, end - at))):
            at += count
            yield at
    os.ftruncate(target, size)


def _extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            raise
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, min(at, size)


def _copy_range(source: int, target: int, at: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, at, at)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    return os.pwrite(target, os.pread(source, count, at), at)


def _made_node(name: str, found: os.stat_result, into: int) -> bool:
    """Make a fifo, socket or device like *found*; devices only where the process may."""
    try:
        os.mknod(name, found.st_mode, found.st_rdev, dir_fd=into)
    except PermissionError:
        logger.warning("%r, a device, is left out of a copy: not permitted", name)
        return False
    os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=into)
    return True


def _attributes(fd: int) -> Iterator[tuple[str, bytes]]:
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return
        raise
    for name in names:
        with suppress(PermissionError):
            try:
                yield name, os.getxattr(fd, name)
            except OSError as error:
                if error.errno != errno.ENODATA:  # removed meanwhile
                    raise


def _set_attribute(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError:
        if not name.startswith(("security.", "trusted.")):  # those are the administrator's
            raise
