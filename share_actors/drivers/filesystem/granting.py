"""Apply access rules to directory trees, entry by entry; an interrupted walk goes on where it ended.

The order keeps one promise at every moment: whoever can pass through a directory has no more permissions on
its files than the new rules give. Before a directory is opened to users who lose permissions, all its files
are changed and the directories in it are closed to them; then the walk goes on into those.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from heapq import merge

from share_actors.drivers.base import RefusedByBackend
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import Grants
from share_actors.drivers.filesystem.copying import LOG_EVERY_S
from share_actors.drivers.filesystem.granting_record import Position, Record
from share_actors.drivers.filesystem.linked_files import LinkedFiles
from share_actors.drivers.filesystem.os_errors import error_text
from share_actors.drivers.filesystem.tree import (
    DIRECTORY,
    Folder,
    OtherFilesystem,
    Steps,
    open_inside,
    unless_vanished,
    walk,
)

logger = logging.getLogger(__name__)
Report = Callable[[int, int], None]
"""Called with the number of entries that are changed, and the number of the last complete walk, or 0."""
SAVE_EVERY = 10_000
"""How many entries are changed between two positions on disk: what an interrupted walk repeats."""
REPORT_EVERY = 1_000


def ignore_report(done: int, expected: int) -> None:
    """Ignore the progress."""


def logged_walk(operation: str) -> Report:
    """A report that logs a line every `LOG_EVERY_S` seconds."""
    last = time.monotonic()

    def log(done: int, expected: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            of = f" of about {expected}" if expected else ""
            logger.info("%s: applied to %d%s entries", operation, done, of)

    return log


def set_grants(
    top: int,
    grants: Grants,
    check: Callable[[], None] = lambda: None,
    record: Record | None = None,
    report: Report = ignore_report,
    *,
    is_private: bool = False,
) -> None:
    """Make *grants* the only access to the open directory *top* and all its content, existing and future.

    The topmost directory is changed first: who loses permissions cannot pass through it from then on. Those
    who keep less than before pass through each directory again when its files are changed. The process
    becomes the owner of everything, except files whose owner is granted all permissions by name. Mounted
    filesystems are left as they are. A file with several hard links may belong to another share: if it gives
    more than *grants*, it is exchanged for a copy (`filesystem.linked_files`), else it is left as it is.
    In a tree that *is_private*, which users have never reached, all links are its own.

    A walk that was interrupted goes on at the position in *record*, if its grants were the same. *check* is
    called before each change and may raise. Raises `DriverError` if the filesystem does not support ACLs, and
    `NoSpaceLeft` or `QuotaExceeded`, after everything else is changed, if there is no room for such copies.
    """
    check()
    record = record or Record()
    key = _key(top, grants)
    position = record.read(key)
    if position is None or acl.grants_of(top) != grants:
        position = record.begin(key, acl.grants_of(top))
    before = {acl.Principal(tag, number): perm for tag, number, perm in position.before}
    links = LinkedFiles(record.links, grants, before, check, is_private=is_private)
    walking = _Granting(top, grants, check, position, links)
    _walk(walking, record, report)
    record.finish(walking.position)
    if linked := walking.position.linked:
        logger.warning("access rules are not applied to %d files with several hard links", linked)
    links.raise_if_no_room()


def _walk(walking: _Granting, record: Record, report: Report) -> None:
    """Take all steps; the position is saved now and then, and when a step raises."""
    try:
        for _ in walking.steps():
            walking.save_if_due(record)
            if walking.position.done % REPORT_EVERY == 0:
                report(walking.position.done, walking.position.expected)
    except BaseException:
        with suppress(OSError):
            walking.save(record)
        raise


def _key(top: int, grants: Grants) -> str:
    """What a position belongs to: the directory and the grants."""
    inode = os.fstat(top).st_ino
    return f"{inode}-{sha256(acl.encoded(grants, executable=True)).hexdigest()}"


class _Granting:
    """One walk, from *position* to the end."""

    def __init__(
        self,
        top: int,
        grants: Grants,
        check: Callable[[], None],
        position: Position,
        links: LinkedFiles,
    ) -> None:
        self._top, self._grants, self._check, self._links = top, grants, check, links
        self._lists = [acl.encoded(grants, executable=executable) for executable in (False, True)]
        self._saved = self.position = position
        self._folder: Folder | None = None
        self._begun: Steps = ()

    def save(self, record: Record) -> None:
        """Save the position of the walk on disk."""
        if self._folder is not None:
            self.position = self.position._replace(path=self._folder.path)
        record.save(self._top, self.position)
        self._saved = self.position

    def save_if_due(self, record: Record) -> None:
        """Save the position after `SAVE_EVERY` entries, or more in a directory that is deeper than that."""
        depth = self._folder.depth if self._folder else 0
        if self.position.done - self._saved.done >= max(SAVE_EVERY, depth):
            self.save(record)

    def steps(self) -> Iterator[None]:
        """Change one entry after another; the position is after the entry that was changed last."""
        self._check()
        self._begin_at_top()
        begun, last = self.position.path, self.position.last
        self._begun = begun[-1:]
        for number, folder in enumerate(walk(self._top, begun)):
            if number or folder.path != begun:
                last = ""
            self._folder, self.position = folder, self.position._replace(last=last)
            for name, linked in self._directory(folder, last):
                self._advance(name, linked)
                yield
        self._settle()

    def _begin_at_top(self) -> None:
        """Close the topmost directory and set what its new entries inherit, or leave its access as it was."""
        mode = os.fstat(self._top).st_mode
        before = acl.encode(acl.read(self._top, acl.ACCESS) or acl.from_mode(mode))
        try:
            self._close(self._top, {}, complete=True)
            acl.write_default(self._top, self._grants)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.E2BIG, errno.ERANGE):
                raise
            acl.write_access(self._top, before, os.fstat(self._top).st_mode)
            raise RefusedByBackend(
                f"the filesystem cannot store an access list for {len(self._grants)} users and groups"
                f" ({error_text(error)}): the rules stay as they were; give groups access instead of users"
            ) from error

    def _advance(self, name: str, linked: int) -> None:
        p = self.position
        self.position = p._replace(last=name, done=p.done + 1, linked=p.linked + linked)

    def _settle(self) -> None:
        """Change directories to which users moved entries during the walk, maybe from a part ahead of it."""
        for folder in walk(self._top):
            self._check()
            if not self._is_settled(folder):
                for _ in self._directory(folder, ""):
                    pass

    def _is_settled(self, folder: Folder) -> bool:
        """Whether the walk has changed the directory *folder*, and nobody has added entries since."""
        status = os.fstat(folder.fd)
        return (
            status.st_mtime_ns < self.position.started
            and status.st_ino not in [inode for _, inode in self._begun]
            and acl.grants_exactly(folder.fd, self._lists[True], status.st_mode)
        )

    def _directory(self, folder: Folder, last: str) -> Iterator[tuple[str, bool]]:
        """Change the entries of *folder* after *last*; then let in those who were closed out of it.

        Yields the name of each entry, and whether it is left as it is because of several hard links.
        """
        self._check()
        if folder.parent is not None:
            self._close(folder.fd, self._grants)
            acl.write_default(folder.fd, self._grants)  # before the entries are read
        for name, is_directory in _entries_after(folder, last):
            self._check()
            linked = False
            with unless_vanished():
                if is_directory:
                    self._close_below(folder.fd, name)
                else:
                    linked = not self._file(folder.fd, name)
            yield name, linked
        self._check()
        acl.write_access(folder.fd, self._lists[True], os.fstat(folder.fd).st_mode)

    def _close(self, directory: int, owners: Grants, *, complete: bool = False) -> None:
        """Close a directory to those who lose permissions, and let in those who get more.

        It stays owned by users to whom *owners* grants all permissions.
        """
        acl.take(directory, os.fstat(directory), owners)
        mode = os.fstat(directory).st_mode
        old = acl.named(acl.read(directory, acl.ACCESS))
        now = acl.meanwhile(old, self._grants, complete=complete)
        acl.write_access(directory, acl.encoded(now, executable=True), mode)

    def _close_below(self, parent: int, name: str) -> None:
        with suppress(OtherFilesystem):
            fd = open_inside(parent, name, DIRECTORY)
            try:
                self._close(fd, self._grants)
            finally:
                os.close(fd)

    def _file(self, parent: int, name: str) -> bool:
        """Grant access to a file; false if it is left as it is, with several links or mounted."""
        try:
            # O_PATH does not open a fifo's other end or a device, and needs no read permission.
            fd = open_inside(parent, name, os.O_PATH)
        except OtherFilesystem:
            return False
        try:
            status = os.fstat(fd)
            if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode):
                return True
            if status.st_nlink > 1 and not self._links.is_private:
                return self._links.settle(parent, name, fd, status)
            target = f"/proc/self/fd/{fd}"
            acl.take(target, status, self._grants)
            executable = bool(status.st_mode & stat.S_IXUSR)
            acl.write_access(target, self._lists[executable], status.st_mode)
            return True
        finally:
            os.close(fd)


def _entries_after(folder: Folder, last: str) -> Iterator[tuple[str, bool]]:
    """The names in *folder* after *last*, in order, and whether each is a directory."""
    files, directories = folder.files, folder.directories
    return merge(
        ((files[i], False) for i in range(bisect_right(files, last), len(files))),
        ((directories[i], True) for i in range(bisect_right(directories, last), len(directories))),
    )
