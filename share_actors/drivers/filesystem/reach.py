"""Whether the users that access rules name can pass through the directories above a share."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.acl import EXECUTE, GROUP, USER, Entry, Principal


def parents_from_top(path: Path) -> list[Path]:
    """The directories above *path*, the topmost first; symbolic links are followed."""
    return [*path.resolve().parents][::-1]


def barrier(principal: Principal, directories: Iterable[Path]) -> Path | None:
    """The first of *directories* that *principal* cannot pass through; None if there is none.

    Members of a group count as having no permissions but the group's: the others' are not known. A
    directory that does not exist or cannot be examined is left out.
    """
    groups = _groups_of(principal)
    for directory in directories:
        with suppress(OSError):
            if not _can_enter(principal, groups, directory):
                return directory
    return None


def barrier_to_others(directories: Iterable[Path]) -> Path | None:
    """The first of *directories* that only its owner, or the users and groups that it names, pass through."""
    for directory in directories:
        with suppress(OSError):
            if not directory.stat().st_mode & stat.S_IXOTH:
                return directory
    return None


def root_warnings(backend: str, root: Path) -> tuple[str, ...]:
    """What `config check` says if users in general cannot pass through *root* or a directory above it."""
    closed = barrier_to_others([*parents_from_top(root), root])
    if closed is None:
        return ()
    return (
        f"backends.{backend}.options.root: users of shares cannot pass through {advice(closed)}",
    )


def advice(directory: Path) -> str:
    """How to open *directory* to the users of shares."""
    mode = stat.S_IMODE(directory.stat().st_mode)
    return (
        f"{directory} (mode {mode:04o}); give them execute permission on it, for instance with"
        f" `chmod o+x {directory}`"
    )


def _groups_of(principal: Principal) -> frozenset[int]:
    """The groups of a user of this machine; of a group, the group itself."""
    if principal.tag == GROUP:
        return frozenset((principal.id,))
    try:
        user = pwd.getpwuid(principal.id)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(user.pw_name, user.pw_gid))


def _can_enter(principal: Principal, groups: frozenset[int], directory: Path) -> bool:
    """Whether the kernel lets *principal* pass, by the directory's access control list or its mode.

    Linux ignores the list if the mode gives the group nothing (`acl_permission_check`).
    """
    if principal == (USER, 0):
        return True
    status = directory.stat()
    listed = acl.read(str(directory), acl.ACCESS) if status.st_mode & stat.S_IRWXG else None
    entries = listed or acl.from_mode(status.st_mode)
    if principal == (USER, status.st_uid):
        return any(e.perm & EXECUTE for e in entries if e.tag == acl.USER_OBJ)
    mask = next((e.perm for e in entries if e.tag == acl.MASK), acl.ALL)
    named = [e for e in entries if e.tag == USER and (USER, e.id) == principal]
    of_groups = [e for e in entries if _is_of(e, groups, status.st_gid)]
    for matching in filter(None, (named, of_groups)):
        return any(e.perm & mask & EXECUTE for e in matching)
    return any(e.perm & EXECUTE for e in entries if e.tag == acl.OTHER)


def _is_of(entry: Entry, groups: frozenset[int], owner: int) -> bool:
    """Whether *entry* is about one of *groups*; *owner* is the group that owns the directory."""
    return (entry.tag == acl.GROUP_OBJ and owner in groups) or (
        entry.tag == GROUP and entry.id in groups
    )
