"""Copies of directory trees: reflinks if the filesystem supports them, otherwise sparse copies."""

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

from share_actors.drivers.filesystem.copy_target import Links, Target, Traits
from share_actors.drivers.filesystem.tree import Folder, measure, unless_vanished, walk

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
"""Called with the copied and the total bytes after each file and each chunk of a large file."""
LOG_EVERY_S = 10.0
CHUNK = 16 * 1024 * 1024
"""How many bytes are copied between two reports of progress."""
_FICLONE = 0x40049409
_UNSUPPORTED = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EPERM,
}
_libc = ctypes.CDLL(None, use_errno=True)


def ignore_progress(done: int, total: int) -> None:
    """Ignore the progress."""


def logged(operation: str, progress: Progress) -> Progress:
    """*progress* that also logs a line every `LOG_EVERY_S` seconds."""
    last = time.monotonic()

    def log_progress(done: int, total: int) -> None:
        nonlocal last
        progress(done, total)
        if time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            logger.info("%s: %d of %d bytes", operation, done, total)

    return log_progress


def copy_tree(source: int, target: int, progress: Progress = ignore_progress) -> None:
    """Copy the content of the open directory *source* into the empty open directory *target*.

    Preserves modes, times, extended attributes and ACLs, symbolic links, hard links within the tree, holes,
    fifos and sockets; owners and devices if the process has the permission. Entries that vanish during
    the copy are left out. Only this process may have access to *target*. Raises `OSError`.
    """
    _Copy(source, target, progress).run()


def copy_content(source: int, target: int, check: Callable[[], None]) -> None:
    """Make the content of the open file *source* that of *target*; calls *check* after each chunk."""
    if _reflink(source, target):
        return
    os.ftruncate(target, 0)
    for _ in _copy_data(source, target, os.fstat(source).st_size):
        check()


def sync_filesystem(fd: int) -> None:
    """Flush the filesystem of *fd* to disk: one wait instead of one for each file of a tree."""
    if _libc.syncfs(fd):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class _Copy:
    def __init__(self, source: int, target: int, progress: Progress) -> None:
        self._source, self._progress = source, progress
        self._total = measure(source).content
        self._done = 0
        self._target, self._links = Target(target), Links(target)
        self._reflinks = True  # until a reflink fails because the filesystem does not support it

    def run(self) -> None:
        finish = False
        try:
            for folder in walk(self._source):
                self._target.enter(folder)
                for name in (*folder.files, *folder.directories):
                    with unless_vanished():
                        self._copy_entry(folder, name, self._target.fd)
            finish = True
        finally:
            self._links.close()
            self._target.close(finish=finish)

    def _copy_entry(self, folder: Folder, name: str, into: int) -> None:
        status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=into)
        elif status.st_nlink == 1:
            self._copy_inode(folder, name, status, into)
        elif not self._links.link(status, name, into):
            self._copy_inode(folder, name, status, into)
            with unless_vanished():  # what cannot be copied, such as a device, is not there
                self._links.keep(status, name, into)

    def _copy_inode(self, folder: Folder, name: str, status: os.stat_result, into: int) -> None:
        if stat.S_ISREG(status.st_mode):
            self._copy_file(folder.fd, name, into)
            return
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=folder.fd), name, dir_fd=into)
        elif not _make_node(name, status, into):
            return
        with suppress(PermissionError):
            os.chown(name, status.st_uid, status.st_gid, dir_fd=into, follow_symlinks=False)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=into, follow_symlinks=False)

    def _copy_file(self, folder: int, name: str, into: int) -> None:
        # O_NONBLOCK: a user may have replaced the file with a fifo, whose opening would block.
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            traits = Traits.of(source)
            if stat.S_ISREG(traits.stat.st_mode):
                self._copy_content(source, traits, name, into)
        finally:
            os.close(source)

    def _copy_content(self, source: int, traits: Traits, name: str, into: int) -> None:
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=into)
        try:
            size = traits.stat.st_size
            self._reflinks = self._reflinks and _reflink(source, target)
            if not self._reflinks:
                for done in _copy_data(source, target, size):
                    if done < size:
                        self._progress(self._done + done, self._total)
            self._done += size
            self._progress(self._done, self._total)
            traits.apply(target)
        finally:
            os.close(target)


def _reflink(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def _copy_data(source: int, target: int, size: int) -> Iterator[int]:
    """Copy the data between holes; yields the offset after each chunk."""
    for start, end in _extents(source, size):
        offset = start
        while offset < end and (
            count := _copy_range(source, target, offset, min(CHUNK, end - offset))
        ):
            offset += count
            yield offset
    os.ftruncate(target, size)


def _extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # the rest of the file is a hole
                return
            raise
        offset = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, min(offset, size)


def _copy_range(source: int, target: int, offset: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return os.pwrite(target, os.pread(source, count, offset), offset)


def _make_node(name: str, status: os.stat_result, into: int) -> bool:
    """Create a fifo, socket or device with the type and mode of *status*; false if not permitted."""
    try:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=into)
    except PermissionError:
        logger.warning("the device %r is left out of a copy: not permitted", name)
        return False
    os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=into)
    return True
