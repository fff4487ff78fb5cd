"""POSIX access control lists (ACLs) in pure Python: the kernel's encoding in extended attributes."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from share_actors.drivers.base import DriverError, UnsupportedAccess
from share_actors.drivers.filesystem.tree import unless_vanished, walk
from share_actors.values import AccessRule

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


def granting(acl: Acl, grants: Grants, *, executable: bool) -> Acl:
    """*acl* with exactly *grants* as its named entries.

    The mask permits all of them; permissions that the old mask withheld from the owning group stay withheld.
    """
    own = {entry.tag: entry.perm for entry in acl if entry.tag not in (USER, GROUP)}
    group = own[GROUP_OBJ] & own.get(MASK, 7)
    usable = 7 if executable else READ | WRITE
    named = [
        Entry(principal.tag, perm & usable, principal.id)
        for principal, perm in sorted(grants.items())
    ]
    result = [Entry(USER_OBJ, own[USER_OBJ]), Entry(GROUP_OBJ, group), Entry(OTHER, own[OTHER])]
    if named:
        mask = group
        for entry in named:
            mask |= entry.perm
        result += [*named, Entry(MASK, mask)]
    return tuple(sorted(result, key=lambda entry: (entry.tag, entry.id)))


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
    """The named users and groups in the list of the open directory *fd*, with their permissions."""
    acl = _read(fd, ACCESS) or ()
    return {Principal(e.tag, e.id): e.perm for e in acl if e.tag in (USER, GROUP)}


def set_grants(top: int, grants: Grants, check: Callable[[], None] = lambda: None) -> None:
    """Grant exactly *grants* on all content of the open directory *top*, existing and future.

    A directory is changed before its entries, so that files created meanwhile inherit the new list, and the
    topmost directory revokes access at once. *check* is called before each change and may raise. Raises
    `DriverError` if the filesystem does not support ACLs.
    """
    for folder in walk(top):
        check()
        _grant(folder.fd, os.fstat(folder.fd).st_mode, grants)
        for entry in folder.entries:
            check()
            if not entry.is_dir(follow_symlinks=False):
                with unless_vanished():
                    _grant_file(folder.fd, entry.name, grants)


def _grant_file(folder: int, name: str, grants: Grants) -> None:
    # O_PATH does not open a fifo's other end or a device, and needs no read permission.
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):
            _grant(f"/proc/self/fd/{fd}", mode, grants)
    finally:
        os.close(fd)


def _grant(target: int | str, mode: int, grants: Grants) -> None:
    is_directory = stat.S_ISDIR(mode)
    current = _read(target, ACCESS) or from_mode(mode)
    executable = is_directory or bool(mode & stat.S_IXUSR)
    acl = granting(current, grants, executable=executable)
    if acl != current:
        _write(target, ACCESS, acl)
    if is_directory:
        _grant_default(target, acl, grants)


def _grant_default(target: int | str, acl: Acl, grants: Grants) -> None:
    current = _read(target, DEFAULT)
    if grants:
        # The owner of new content has all permissions; group and others have those of the directory.
        new = tuple(e._replace(perm=7) if e.tag == USER_OBJ else e for e in acl)
        if new != current:
            _write(target, DEFAULT, new)
    elif current is not None:
        os.removexattr(target, DEFAULT)


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
