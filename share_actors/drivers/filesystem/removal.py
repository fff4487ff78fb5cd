"""Remove directory trees of any depth, and find what is mounted in the way."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.base import RefusedByBackend
from share_actors.drivers.filesystem.tree import open_directory, open_inside

MOUNTS = Path("/proc/self/mountinfo")
"""The mounts that this process sees; see proc_pid_mountinfo(5)."""


def mounts_in(directory: int) -> list[str]:
    """The paths where something is mounted at or below the open *directory*, for this process."""
    place = os.readlink(f"/proc/self/fd/{directory}")
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    paths = [_unescaped(line.split(b" ")[4]) for line in lines]
    return sorted(path for path in paths if path == place or path.startswith(f"{place}/"))


def refuse_mounts(parent: int, name: str, request: str = "deletion") -> None:
    """Raise `RefusedByBackend` if anything is mounted at or below the directory *name* in *parent*.

    *request* is what to repeat.
    """
    try:
        directory = open_directory(parent, name)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        mounts = mounts_in(directory)
    finally:
        os.close(directory)
    if mounts:
        others = f" and {len(mounts) - 1} more" if len(mounts) > 1 else ""
        raise RefusedByBackend(
            f"a filesystem is mounted inside it, at {mounts[0]}{others}: nothing was removed; unmount it"
            f" and repeat the {request}"
        )


def _unescaped(path: bytes) -> str:
    """A path of mountinfo, where a space, a tab, a newline and a backslash are octal numbers."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), path))


def remove_tree(parent: int, name: str) -> None:
    """Remove *name*, a file or a tree of any depth, from the open directory *parent*.

    Nested directories are moved up into *name* and emptied there, which needs two open files at any depth.
    An interrupted removal leaves the rest below *name*. Raises `OtherFilesystem` at a directory where another
    filesystem is mounted; nothing of that filesystem is removed.
    """
    try:
        top = _open_own_directory(parent, name)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(name, dir_fd=parent)
        return
    try:
        while entries := os.listdir(top):
            for entry in entries:
                _remove_entry(top, entry)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _remove_entry(top: int, name: str) -> None:
    with suppress(FileNotFoundError):
        try:
            fd = _open_own_directory(top, name)
        except NotADirectoryError:
            os.unlink(name, dir_fd=top)
            return
        try:
            _empty(fd, top)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=top)


def _empty(folder: int, top: int) -> None:
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.close(_open_own_directory(folder, name))
                os.rename(name, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(name, dir_fd=folder)


def _open_own_directory(parent: int, name: str) -> int:
    """Open a directory to remove it; its mode may exclude any user but root, so it is changed first."""
    fd = open_inside(parent, name, os.O_PATH | os.O_DIRECTORY)
    try:
        if os.geteuid() != 0:
            os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
        return open_directory(fd, ".")
    finally:
        os.close(fd)
