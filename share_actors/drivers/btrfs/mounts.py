"""Mounts of this machine: mount, unmount, and what is mounted where. Functions raise `OSError`."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import NamedTuple

MOUNTINFO = Path("/proc/self/mountinfo")
_libc = ctypes.CDLL(None, use_errno=True)


class Mount(NamedTuple):
    """One line of mountinfo: where, of which type, and from which source (a device)."""

    path: Path
    kind: str
    source: str


def mount(source: str, target: Path, kind: str, data: str = "") -> None:
    """Mount *source* at the directory *target* with the options *data* of the filesystem type *kind*."""
    arguments = (source.encode(), os.fsencode(target), kind.encode(), 0, data.encode())
    if _libc.mount(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def unmount(target: Path) -> None:
    """Unmount what is mounted last at *target*; EBUSY if a process uses it."""
    if _libc.umount2(os.fsencode(target), 0):
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
    found = [mount for mount in _all() if mount.path == place or place in mount.path.parents]
    return found[::-1]


def mount_at(path: Path) -> Mount | None:
    """What is mounted last at *path*."""
    place = path.resolve()
    return next((found for found in reversed(_all()) if found.path == place), None)


def _all() -> list[Mount]:
    return [_parsed(line) for line in MOUNTINFO.read_bytes().splitlines()]


def _parsed(line: bytes) -> Mount:
    before, after = line.split(b" - ", 1)
    kind, source = after.split(b" ")[:2]
    return Mount(Path(_text(before.split(b" ")[4])), _text(kind), _text(source))


def _text(field: bytes) -> str:
    """A field of mountinfo, where a space, a tab, a newline and a backslash are octal numbers."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field))
