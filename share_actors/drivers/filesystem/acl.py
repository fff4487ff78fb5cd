"""POSIX access control lists (ACLs) in pure Python: the kernel's encoding in extended attributes."""

from __future__ import annotations

import errno
import grp
import logging
import os
import pwd
import stat
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from share_actors.drivers.base import DriverError, UnsupportedAccess
from share_actors.drivers.filesystem.tree import (
    OtherFilesystem,
    open_inside,
    unless_vanished,
    walk,
)
from share_actors.values import AccessRule

logger = logging.getLogger(__name__)
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
READ, WRITE, EXECUTE = 4, 2, 1
LEVELS = {"ro": READ | EXECUTE, "rw": READ | WRITE | EXECUTE}
"""Permissions of each access level; execute is granted only on files that their owner may execute."""
NOBODY = 0xFFFFFFFF
"""The id of an entry without a user or group; no user or group has it."""
_VERSION = 2
_HEADER, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")


class Entry(NamedTuple):
    """One entry of a list: the kind of principal, its permissions, and its id if it is a named one."""

    tag: int
    perm: int
    id: int = NOBODY


class Principal(NamedTuple):
    """A user (tag `USER`) or a group (tag `GROUP`)."""

    tag: int
    id: int


Acl = tuple[Entry, ...]
Grants = Mapping[Principal, int]


# -- the format ----------------------------------------------------------------------------------
def encode(acl: Iterable[Entry]) -> bytes:
    """Encode *acl* for the kernel: entries sorted by tag, then by id."""
    ordered = sorted(acl, key=lambda entry: (entry.tag, entry.id))
    return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in ordered)


def decode(raw: bytes) -> Acl:
    """The list encoded in *raw*; raises `DriverError` if it is invalid or of an unknown version."""
    body = raw[_HEADER.size :]
    if len(raw) < _HEADER.size or len(body) % _ENTRY.size:
        raise DriverError(f"not an access control list: {raw!r}")
    if (version := _HEADER.unpack_from(raw)[0]) != _VERSION:
        raise DriverError(f"access control list of unknown version {version}")
    return tuple(Entry(*fields) for fields in _ENTRY.iter_unpack(body))


def from_mode(mode: int) -> Acl:
    """The list that is equivalent to a file's permission bits."""
    return (
        Entry(USER_OBJ, mode >> 6 & 7),
        Entry(GROUP_OBJ, mode >> 3 & 7),
        Entry(OTHER, mode & 7),
    )


def granting(grants: Grants, *, executable: bool) -> Acl:
    """The list that grants exactly *grants*: all to the owner, nothing to the owning group and to others.

    The owning group gets nothing because the kernel adds its permissions to those of named groups.
    """
    usable = 7 if executable else READ | WRITE
    named = [Entry(p.tag, perm & usable, p.id) for p, perm in sorted(grants.items())]
    result = [Entry(USER_OBJ, usable), Entry(GROUP_OBJ, 0), Entry(OTHER, 0), *named]
    if named:
        mask = 0
        for entry in named:
            mask |= entry.perm
        result.append(Entry(MASK, mask))
    return tuple(sorted(result, key=lambda entry: (entry.tag, entry.id)))


def meanwhile(old: Grants, new: Grants) -> dict[Principal, int]:
    """What the top of a tree grants while *new* replaces *old* below it.

    A principal that loses permissions, or may lose those of its groups, gets none until the whole tree is
    changed. An entry without permissions in *old* is left by an interrupted change, and stays so.
    """
    groups = 0
    for principal, perm in old.items():
        groups |= perm if principal.tag == GROUP else 0
    result = {}
    for principal in old.keys() | new.keys():
        inherited = groups if principal.tag == USER else 0
        before, after = old.get(principal, inherited), new.get(principal, 0)
        interrupted = old.get(principal) == 0
        result[principal] = 0 if interrupted or before & ~after else after
    return result


# -- names ---------------------------------------------------------------------------------------
def resolve(access_to: str) -> Principal:
    """The user or group of `access_to`: a user's name or number, or `@` and a group's name or number.

    Raises `DriverError` for a name that does not exist on this machine.
    """
    tag, kind, name = USER, "user", access_to
    if access_to.startswith("@"):
        tag, kind, name = GROUP, "group", access_to[1:]
    try:
        return Principal(
            tag, grp.getgrnam(name).gr_gid if tag == GROUP else pwd.getpwnam(name).pw_uid
        )
    except (KeyError, ValueError):  # ValueError: the name has a NUL or a surrogate
        if name.isascii() and name.isdigit() and int(name) < NOBODY:
            return Principal(tag, int(name))
    raise DriverError(f"{kind} {name!r} does not exist on this machine")


def granted_by(rule: AccessRule) -> tuple[Principal, int]:
    """The principal and the permissions of *rule*; raises `DriverError` for an unsupported or unknown one."""
    if rule.access_type != "user":
        raise UnsupportedAccess(f"access_type {rule.access_type!r}: only 'user' is supported")
    if rule.access_level not in LEVELS:
        raise UnsupportedAccess(
            f"access_level {rule.access_level!r}: only 'rw' and 'ro' are supported"
        )
    return resolve(rule.access_to), LEVELS[rule.access_level]


# -- trees ---------------------------------------------------------------------------------------
def grants_of(fd: int) -> dict[Principal, int]:
    """The named users and groups of the open directory *fd*, with their permissions.

    An interrupted change of the permissions counts as completed.
    """
    default = _read(fd, DEFAULT)
    granted = _named(default if default is not None else _read(fd, ACCESS))
    return {principal: perm for principal, perm in granted.items() if perm}


def set_grants(top: int, grants: Grants, check: Callable[[], None] = lambda: None) -> None:
    """Make *grants* the only access to the open directory *top* and all its content, existing and future.

    The topmost directory is changed first, which takes effect at once: only users who are granted access pass
    through it. Those who keep less access than before pass again when the whole content is changed. The
    process becomes the owner of everything, except files whose owner is granted all permissions by name.
    Files with several hard links and mounted filesystems are left as they are: they may belong to another
    share. *check* is called before each change and may raise. Raises `DriverError` if the filesystem does not
    support ACLs.
    """
    check()
    _grant_top(top, meanwhile(_named(_read(top, ACCESS)), grants), grants)
    linked = 0
    for folder in walk(top):
        check()
        if folder.parent is not None:
            _grant(folder.fd, os.fstat(folder.fd), grants)
        for entry in folder.entries:
            check()
            if not entry.is_dir(follow_symlinks=False):
                with unless_vanished():
                    linked += not _grant_file(folder.fd, entry.name, grants)
    check()
    _grant_top(top, grants, grants)
    if linked:
        logger.warning("access rules are not applied to %d files with several hard links", linked)


def remove_default(directory: Path) -> None:
    """Remove the list that new entries of *directory* inherit, if there is one."""
    _grant_default(str(directory), {})


def _grant_top(top: int, now: Grants, later: Grants) -> None:
    status = os.fstat(top)
    _own(top, status, {})
    _write_changed(top, granting(now, executable=True), os.fstat(top).st_mode)
    _grant_default(top, later)


def _grant_file(folder: int, name: str, grants: Grants) -> bool:
    """Grant access to a file; false if it has several links or is mounted."""
    try:
        # O_PATH does not open a fifo's other end or a device, and needs no read permission.
        fd = open_inside(folder, name, os.O_PATH)
    except OtherFilesystem:
        return False
    try:
        status = os.fstat(fd)
        if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode):
            return True
        if status.st_nlink > 1:
            return False
        _grant(f"/proc/self/fd/{fd}", status, grants)
        return True
    finally:
        os.close(fd)


def _grant(target: int | str, status: os.stat_result, grants: Grants) -> None:
    is_directory = stat.S_ISDIR(status.st_mode)
    _own(target, status, grants)
    executable = is_directory or bool(status.st_mode & stat.S_IXUSR)
    _write_changed(target, granting(grants, executable=executable), status.st_mode)
    if is_directory:
        _grant_default(target, grants)


def _own(target: int | str, status: os.stat_result, grants: Grants) -> None:
    """Take *target* from an owner who is not granted all permissions: an owner can always change the mode."""
    special = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
    if status.st_mode & special:
        os.chmod(target, stat.S_IMODE(status.st_mode) & ~special)
    owner = os.geteuid()
    if status.st_uid != owner and grants.get(Principal(USER, status.st_uid)) != LEVELS["rw"]:
        os.chown(target, owner, -1)


def _grant_default(target: int | str, grants: Grants) -> None:
    current = _read(target, DEFAULT)
    new = granting(grants, executable=True)
    if not grants and current is not None:
        os.removexattr(target, DEFAULT)
    elif grants and new != current:
        _write(target, DEFAULT, new)


def _named(acl: Acl | None) -> dict[Principal, int]:
    return {Principal(e.tag, e.id): e.perm for e in acl or () if e.tag in (USER, GROUP)}


def _write_changed(target: int | str, acl: Acl, mode: int) -> None:
    """Write the list unless it is there; one without named entries is stored as permission bits alone."""
    current = _read(target, ACCESS)
    if acl != (current or from_mode(mode)):
        _write(target, ACCESS, acl)


def _read(target: int | str, name: str) -> Acl | None:
    try:
        return decode(os.getxattr(target, name))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _write(target: int | str, name: str, acl: Acl) -> None:
    try:
        os.setxattr(target, name, encode(acl))
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            message = "the filesystem does not support POSIX ACLs; mount it with ACLs enabled"
            raise DriverError(message) from error
        raise
