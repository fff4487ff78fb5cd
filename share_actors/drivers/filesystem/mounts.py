"""Mounts of this machine: mount, unmount, and what is mounted where. Functions raise `OSError`."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import NamedTuple

MOUNTINFO = Path("/proc/self/mountinfo")
_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class Mount(NamedTuple):
    """One line of mountinfo: where, of which type, and from which source (a device)."""

    path: Path
    kind: str
    source: str
    is_shared: bool
    """Whether what is mounted and unmounted at once below it reaches its copies in other namespaces."""
    follows: bool
    """Whether what is mounted and unmounted below its original, in another namespace, arrives here."""
    number: int
    parent: int
    """The number of the mount that it is mounted on."""


def mount(source: str, target: Path, kind: str, data: str = "", *, read_only: bool = False) -> None:
    """Mount *source* at the directory *target* with the options *data* of the filesystem type *kind*."""
    flags = 1 if read_only else 0  # MS_RDONLY
    arguments = (source.encode(), os.fsencode(target), kind.encode(), flags, data.encode())
    if _libc.mount(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def unmount(target: Path, *, detach: bool = False) -> None:
    """Unmount what is mounted last at *target*; EBUSY if a process uses it, unless *detach*."""
    if _libc.umount2(os.fsencode(target), _DETACH if detach else 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def is_mounted(path: Path) -> bool:
    """Whether something is mounted at *path*, which need not exist."""
    try:
        return os.lstat(path).st_dev != os.lstat(path.parent).st_dev
    except (FileNotFoundError, NotADirectoryError):
        return False


def mounts_below(top: Path) -> list[Mount]:
    """The mounts at and below *top*, the last mounted first: the order to unmount them in."""
    place = top.resolve()
    found = [mount for mount in mounts() if mount.path == place or place in mount.path.parents]
    return found[::-1]


def mount_at(path: Path) -> Mount | None:
    """What is mounted last at *path*."""
    place = path.resolve()
    field = b" " + _field(place) + b" "
    lines = [
        line for line in MOUNTINFO.read_bytes().splitlines() if field in line
    ]  # few of thousands
    return next((found for found in map(_parsed, reversed(lines)) if found.path == place), None)


def mounts() -> list[Mount]:
    """All mounts that this process sees, in the order in which they were made."""
    return [_parsed(line) for line in MOUNTINFO.read_bytes().splitlines()]


def _parsed(line: bytes) -> Mount:
    before, after = line.split(b" - ", 1)
    kind, source = after.split(b" ")[:2]
    number, parent, _, _, path, _, *tags = before.split(b" ")
    return Mount(
        path=Path(_text(path)),
        kind=_text(kind),
        source=_text(source),
        is_shared=any(tag.startswith(b"shared:") for tag in tags),
        follows=any(tag.startswith(b"master:") for tag in tags),
        number=int(number),
        parent=int(parent),
    )


def _field(path: Path) -> bytes:
    """*path* as a field of mountinfo."""
    return re.sub(rb"[ \t\n\\]", lambda found: b"\\%03o" % ord(found[0]), os.fsencode(path))


def _text(field: bytes) -> str:
    """A field of mountinfo, where a space, a tab, a newline and a backslash are octal numbers."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field))
