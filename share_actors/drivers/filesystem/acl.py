"""POSIX access control lists (ACLs) in pure Python: the kernel's encoding in extended attributes."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from share_actors.drivers.base import DriverError, UnsupportedAccess
from share_actors.values import AccessRule

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
READ, WRITE, EXECUTE = 4, 2, 1
ALL = READ | WRITE | EXECUTE
LEVELS = {"ro": READ | EXECUTE, "rw": ALL}
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


def meanwhile(old: Grants, new: Grants, *, complete: bool = True) -> dict[Principal, int]:
    """What a directory grants while *new* replaces *old* in it and below.

    A principal that loses permissions, or may lose those of its groups, gets none until the content of the
    directory is changed: whoever passes through it then has no more on any file than *new* says. An entry
    without permissions in *old* is left by an interrupted change: the files may grant everything. So may they
    to a principal that is not in *old*, unless *old* is *complete*, as it is where users cannot change it.
    """
    before = {principal: perm or ALL for principal, perm in old.items()}
    groups = lost = 0
    for principal, perm in before.items():
        if principal.tag == GROUP:
            groups |= perm
            lost |= perm & ~new.get(principal, 0)
    absent = {USER: groups, GROUP: 0} if complete else {USER: ALL, GROUP: ALL}
    result = {}
    for principal in before.keys() | new.keys():
        had = before.get(principal, absent[principal.tag])
        if principal.tag == GROUP:
            had |= lost  # its members may be members of another group, too
        after = new.get(principal, 0)
        result[principal] = 0 if had & ~after else after
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


# -- files ---------------------------------------------------------------------------------------
def grants_of(fd: int) -> dict[Principal, int]:
    """The named users and groups of the open directory *fd*, with their permissions.

    An interrupted change of the permissions counts as completed.
    """
    default = read(fd, DEFAULT)
    granted = named(default if default is not None else read(fd, ACCESS))
    return {principal: perm for principal, perm in granted.items() if perm}


def named(acl: Acl | None) -> dict[Principal, int]:
    """The permissions of the named users and groups of *acl*."""
    return {Principal(e.tag, e.id): e.perm for e in acl or () if e.tag in (USER, GROUP)}


def remove_default(directory: Path) -> None:
    """Remove the list that new entries of *directory* inherit, if there is one."""
    write_default(str(directory), {})


def encoded(grants: Grants, *, executable: bool) -> bytes:
    """The encoded list that grants exactly *grants*."""
    return encode(granting(grants, executable=executable))


def grants_exactly(directory: int, exactly: bytes, mode: int) -> bool:
    """Whether *exactly* is the list of the open *directory* with *mode*, and that of its new entries."""
    default = None if _is_minimal(exactly) else exactly
    return _read(directory, DEFAULT) == default and _is_access(directory, exactly, mode)


def write_access(target: int | str, new: bytes, mode: int) -> None:
    """Make *new* the list of *target*, which has *mode*; writes nothing if it is."""
    if not _is_access(target, new, mode):
        _write(target, ACCESS, new)


def write_default(target: int | str, grants: Grants) -> None:
    """Make *grants* the access to new entries of the directory *target*."""
    current = _read(target, DEFAULT)
    new = encoded(grants, executable=True)
    if not grants and current is not None:
        os.removexattr(target, DEFAULT)
    elif grants and new != current:
        _write(target, DEFAULT, new)


def take(target: int | str, status: os.stat_result, grants: Grants) -> None:
    """Take *target* from an owner who is not granted all permissions: an owner can always change the mode.

    Removes the set-user-id, set-group-id and sticky bits, too.
    """
    special = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
    if status.st_mode & special:
        os.chmod(target, stat.S_IMODE(status.st_mode) & ~special)
    owner = os.geteuid()
    if status.st_uid != owner and grants.get(Principal(USER, status.st_uid)) != LEVELS["rw"]:
        os.chown(target, owner, -1)


def read(target: int | str, name: str) -> Acl | None:
    """The list *name*, `ACCESS` or `DEFAULT`, of *target*; None if there is none."""
    raw = _read(target, name)
    return None if raw is None else decode(raw)


def _is_access(target: int | str, exactly: bytes, mode: int) -> bool:
    """Whether *exactly* is the list of *target*; without named entries it is stored as mode bits alone."""
    current = _read(target, ACCESS)
    if current is None and _is_minimal(exactly):
        current = encode(from_mode(mode))
    return current == exactly


def _is_minimal(raw: bytes) -> bool:
    return len(raw) == _HEADER.size + 3 * _ENTRY.size


def _read(target: int | str, name: str) -> bytes | None:
    try:
        return os.getxattr(target, name)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return None
        raise


def _write(target: int | str, name: str, raw: bytes) -> None:
    try:
        os.setxattr(target, name, raw)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            message = "the filesystem does not support POSIX ACLs; mount it with ACLs enabled"
            raise DriverError(message) from error
        raise
