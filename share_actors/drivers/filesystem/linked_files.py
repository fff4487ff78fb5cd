"""Files with several hard links, in a tree whose access rules change: each gets an inode of its own.

Another link of a file may be in another share, so what the links have in common, the inode, is never
changed. But whoever made a link elsewhere would keep the file after the rules took it away. So the entry in
the tree is exchanged for a copy that has the new rules; the links elsewhere keep the inode as it was. Links
inside the tree stay links of one file.

Nobody gains by a copy: a file is copied only if someone in the rules, old or new, can read it already.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from share_actors.drivers.base import RefusedByBackend
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import Grants, Principal
from share_actors.drivers.filesystem.copy_target import Traits
from share_actors.drivers.filesystem.copying import copy_content
from share_actors.drivers.filesystem.exchanging import exchange
from share_actors.drivers.filesystem.os_errors import error_text
from share_actors.drivers.filesystem.tree import DIRECTORY
from share_actors.drivers.storage_errors import STORAGE_ERRORS

_USABLE = acl.READ | acl.WRITE
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
TRIES = 3
"""How often a file is copied that is written to during the copy."""


class LinkedFiles:
    """The files with several links in one tree, which get the *grants*.

    *before* is what the rules gave until now. *place* is a directory out of users' reach, on the filesystem
    of the tree, for the copies of files whose other links are still to come; a change that goes on after an
    interruption finds them there. None: files with several links are left as they are, unless the tree
    *is_private*, and all links are its own.
    """

    def __init__(
        self,
        place: Path | None,
        grants: Grants,
        before: Grants,
        check: Callable[[], None],
        *,
        is_private: bool = False,
    ) -> None:
        self._place, self._grants, self._check, self.is_private = place, grants, check, is_private
        self._readers = {p for rules in (grants, before) for p, perm in rules.items() if perm}
        self._no_room: tuple[str, OSError] | None = None
        """The first file that there was no room to copy, and the error."""

    def settle(self, parent: int, name: str, fd: int, status: os.stat_result) -> bool:
        """Give the file *name* in *parent*, open as *fd*, the rules; false if it is left as it is."""
        listed = acl.read(f"/proc/self/fd/{fd}", acl.ACCESS) or acl.from_mode(status.st_mode)
        if listed == acl.granting(self._grants, executable=bool(status.st_mode & stat.S_IXUSR)):
            if not self._owner_gains(status):
                return True
        elif not self._gives_more(listed, status):
            return False
        readable = stat.S_ISREG(status.st_mode) and self._is_readable(listed, status)
        if self._place is None or not readable:
            return False
        try:
            with _made(self._place) as place:
                return self._separate(place, parent, name, fd, status)
        except OSError as error:
            if error.errno == errno.EXDEV:  # the share is on a filesystem of its own
                return False
            if error.errno not in _NO_ROOM:
                raise
            self._no_room = self._no_room or (name, error)
            return False

    def raise_if_no_room(self) -> None:
        """Raise the error of a file that gives more than the rules, and that there was no room to copy."""
        if self._no_room is not None:
            name, error = self._no_room
            raise STORAGE_ERRORS[error.errno or 0](
                f"the rules are applied, except to files with several hard links, which need copies of their"
                f" own ({error_text(error)}), such as {name!r}: remove the other links or free disk space,"
                " then repeat the change"
            ) from error

    # -- what the file gives ---------------------------------------------------------------------
    def _owner_gains(self, status: os.stat_result) -> bool:
        """Whether the owner, who can always change the mode, has no right to write."""
        owner = status.st_uid
        granted = self._grants.get(Principal(acl.USER, owner))
        return owner != os.geteuid() and granted != acl.LEVELS["rw"]

    def _gives_more(self, listed: acl.Acl, status: os.stat_result) -> bool:
        """Whether the file lets anyone read or write to whom the rules do not give that."""
        more = (
            entry.perm & _USABLE & ~self._granted(entry)
            for entry in listed
            if entry.tag not in (acl.USER_OBJ, acl.MASK)
        )
        return self._owner_gains(status) or any(more) or self._lets_groups_decide(listed)

    def _lets_groups_decide(self, listed: acl.Acl) -> bool:
        """Whether a user whose own rule gives less has what the groups get, for lack of an entry."""
        users = {entry.id for entry in listed if entry.tag == acl.USER}
        groups = 0
        for entry in listed:
            groups |= entry.perm & _USABLE if entry.tag == acl.GROUP else 0
        own = [perm for p, perm in self._grants.items() if p.tag == acl.USER and p.id not in users]
        return any(groups & ~perm for perm in own)

    def _granted(self, entry: acl.Entry) -> int:
        return self._grants.get(Principal(entry.tag, entry.id), 0)

    def _is_readable(self, listed: acl.Acl, status: os.stat_result) -> bool:
        """Whether somebody in the rules, old or new, can read the file."""
        mask = next((entry.perm for entry in listed if entry.tag == acl.MASK), 7)
        owners = {
            acl.USER_OBJ: (acl.USER, status.st_uid),
            acl.GROUP_OBJ: (acl.GROUP, status.st_gid),
        }
        for tag, perm, number in listed:
            usable = perm if tag in (acl.USER_OBJ, acl.OTHER) else perm & mask
            principal = Principal(*owners.get(tag, (tag, number)))
            if usable & acl.READ and (tag == acl.OTHER or self._is_in_rules(principal)):
                return True
        return False

    def _is_in_rules(self, principal: Principal) -> bool:
        """Whether a rule, old or new, is for the user or group, or for a group of the user."""
        if principal in self._readers or principal.tag != acl.USER:
            return principal in self._readers
        return any(
            Principal(acl.GROUP, group) in self._readers for group in groups_of(principal.id)
        )

    # -- copies ----------------------------------------------------------------------------------
    def _separate(
        self, place: int, parent: int, name: str, fd: int, status: os.stat_result
    ) -> bool:
        """Exchange the entry for the copy; it is kept if a user has replaced it meanwhile."""
        copy, new = str(status.st_ino), f"{status.st_ino}.new"
        with suppress(FileExistsError):  # while it has this name, no other file gets its number
            os.link(f"/proc/self/fd/{fd}", f"{copy}.old", dst_dir_fd=place)
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=place)
        if not _exists(place, copy):
            self._copy(place, new, fd)
            os.rename(new, copy, src_dir_fd=place, dst_dir_fd=place)
        os.link(copy, new, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
        self._check()
        try:
            exchange(place, parent, new, name)
        except RefusedByBackend:
            # Such as on ZFS before 2.2: what a user puts there just now is lost.
            os.rename(new, name, src_dir_fd=place, dst_dir_fd=parent)
            return True
        if os.stat(new, dir_fd=place, follow_symlinks=False).st_ino != status.st_ino:
            exchange(place, parent, new, name)
        os.unlink(new, dir_fd=place)
        return True

    def _copy(self, place: int, new: str, fd: int) -> None:
        """Make the file *new* with the content of the file *fd*, the new rules and an owner they permit."""
        source = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place)
            try:
                self._copy_until_stable(source, target)
                Traits.of(source).apply(target)
                status = os.fstat(target)
                acl.take(target, status, self._grants)
                executable = bool(status.st_mode & stat.S_IXUSR)
                new_list = acl.encoded(self._grants, executable=executable)
                acl.write_access(target, new_list, status.st_mode)
                os.fsync(target)
            finally:
                os.close(target)
        except OSError:
            os.unlink(new, dir_fd=place)
            raise
        finally:
            os.close(source)

    def _copy_until_stable(self, source: int, target: int) -> None:
        for _ in range(TRIES):
            before = os.fstat(source)
            copy_content(source, target, self._check)
            after = os.fstat(source)
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                return


def groups_of(user: int) -> list[int]:
    """The groups of a user of this machine; none of a user that it does not know."""
    try:
        known = pwd.getpwuid(user)
    except (KeyError, OverflowError):
        return []
    return os.getgrouplist(known.pw_name, known.pw_gid)


@contextmanager
def _made(path: Path) -> Iterator[int]:
    """Open the directory *path*, made if it is missing."""
    with suppress(FileExistsError):
        path.mkdir(0o700)
    directory = os.open(path, DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
