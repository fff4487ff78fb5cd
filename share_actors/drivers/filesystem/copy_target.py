"""The copy of a directory tree while it is written: metadata, the open directory, and hard links."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from share_actors.drivers.filesystem.removal import remove_tree
from share_actors.drivers.filesystem.tree import Folder, open_directory


@dataclass(frozen=True, slots=True)
class Traits:
    """The metadata of a file or directory."""

    stat: os.stat_result
    attributes: dict[str, bytes]

    @classmethod
    def of(cls, fd: int) -> Traits:
        return cls(os.fstat(fd), dict(_attributes(fd)))

    def apply(self, fd: int) -> None:
        mode = stat.S_IMODE(self.stat.st_mode)
        try:
            os.chown(fd, self.stat.st_uid, self.stat.st_gid)
        except PermissionError:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)  # they would give the new owner's privileges
        os.chmod(fd, mode)
        for name, value in self.attributes.items():
            _set_attribute(fd, name, value)
        os.utime(fd, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


class Target:
    """The copy of the directory that the walk of the source has reached, open as `fd`."""

    def __init__(self, top: int) -> None:
        self.fd = open_directory(top, ".")
        self._open: list[tuple[Folder, Traits]] = []

    def enter(self, folder: Folder) -> None:
        """Go to the copy of *folder*, the next directory of the walk, and finish those that it has left."""
        while self._open and self._open[-1][0] is not folder.parent:
            self.leave()
        if self._open:
            self._move(folder.name)
        self._open.append((folder, Traits.of(folder.fd)))

    def leave(self) -> None:
        """Finish the copy of a directory, because new entries change its times, and go up."""
        _, traits = self._open.pop()
        traits.apply(self.fd)
        if self._open:
            self._move("..")  # nobody else can move it

    def close(self, *, finish: bool) -> None:
        """Close the directory; with *finish*, first finish it and all above it."""
        try:
            while finish and self._open:
                self.leave()
        finally:
            os.close(self.fd)

    def _move(self, name: str) -> None:
        left, self.fd = self.fd, open_directory(self.fd, name)
        os.close(left)


class Links:
    """The files of a copy that have several hard links: each has one in a directory of its own meanwhile.

    So that a further link costs the same at any depth.
    """

    def __init__(self, top: int) -> None:
        self._top, self._name = top, f".links-{secrets.token_hex(16)}"
        self._fd = -1
        self._missing: dict[tuple[int, int], int] = {}

    def link(self, status: os.stat_result, name: str, into: int) -> bool:
        """Make *name* in *into* a link to the copy of the file of *status*; false if there is no copy yet."""
        key = status.st_dev, status.st_ino
        if key not in self._missing:
            return False
        self._missing[key] -= 1
        if self._missing[key]:
            os.link(_kept(key), name, src_dir_fd=self._fd, dst_dir_fd=into, follow_symlinks=False)
        else:  # the last one: a file may have as many links as the filesystem permits
            os.rename(_kept(key), name, src_dir_fd=self._fd, dst_dir_fd=into)
            del self._missing[key]
        return True

    def keep(self, status: os.stat_result, name: str, into: int) -> None:
        """Keep the copy *name* in *into* of the file of *status* for further links."""
        if self._fd < 0:
            os.mkdir(self._name, 0o700, dir_fd=self._top)
            self._fd = open_directory(self._top, self._name)
        key = status.st_dev, status.st_ino
        os.link(name, _kept(key), src_dir_fd=into, dst_dir_fd=self._fd, follow_symlinks=False)
        self._missing[key] = status.st_nlink - 1

    def close(self) -> None:
        """Remove the directory; links out of the tree remain missing."""
        if self._fd >= 0:
            os.close(self._fd)
            remove_tree(self._top, self._name)


def _kept(key: tuple[int, int]) -> str:
    return f"{key[0]}-{key[1]}"


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
                if error.errno != errno.ENODATA:  # ENODATA: the attribute was removed meanwhile
                    raise


def _set_attribute(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError:
        if not name.startswith(("security.", "trusted.")):  # only the administrator can set those
            raise
