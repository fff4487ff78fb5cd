"""The namespaces that the supervisor and its parts run in."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem import mounts as mount_table

_CLONE_NEWNS = 0x00020000
_LIBC = ctypes.CDLL(None, use_errno=True)
_RUN = Path("/run")
_SYSTEM = tuple(
    map(
        Path,
        (
            "/usr",
            "/lib",
            "/bin",
            "/sbin",
            "/etc",
            "/var",
            "/dev",
            sys.prefix,
            sys.base_prefix,
            __file__,
        ),
    )
)
"""Where the programs and libraries of a unit are."""


def share_mounts_of(root: Path) -> None:
    """Let mounts below *root* reach the mount namespaces that are made later.

    Unless *root* is a mount, it becomes one, and stays one. Raises `DriverError`.
    """
    root = root.resolve()
    mounts = {found.path: found.is_shared for found in mount_table.mounts()}
    nearest = next(place for place in (root, *root.parents) if place in mounts)
    if mounts[nearest]:
        return
    if nearest != root:
        if below := [str(place) for place in mounts if place.is_relative_to(root)]:
            raise DriverError(
                f"mount_root {root}: {below[0]} is mounted below it, and would be hidden. Unmount what is"
                f" below {root}, or mount it anew after {root} is itself a mount"
            )
        _mount("--bind", str(root), str(root))
    _mount("--make-rshared", str(root))


def enter_own_mounts(directory: Path) -> None:
    """Move this process into a mount namespace of its own, with an empty `/run` but for *directory*.

    Later mounts on shared mounts of the parent still arrive. Raises `DriverError`.
    """
    _checked(_LIBC.unshare(_CLONE_NEWNS), "cannot make a mount namespace")
    _mount("--make-rslave", "/")
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(_RUN))
        (_RUN / "rpcbind").mkdir()
        if directory.resolve().is_relative_to(_RUN.resolve()):
            directory.mkdir(parents=True)
            _mount("--rbind", f"/proc/{os.getpid()}/fd/{fd}", str(directory))
    finally:
        os.close(fd)


def leave_mounts(needed: Iterable[Path]) -> None:
    """Unmount here the disks on which none of *needed* is, and whose unmounting elsewhere does not arrive.

    They would stay in use until this namespace ends: a loop device could not be detached. To be called
    in `enter_own_mounts`' namespace only.
    """
    kept = {
        place for path in (*_SYSTEM, *needed) for place in (path.resolve(), *path.resolve().parents)
    }
    table = {found.number: found for found in mount_table.mounts()}
    for found in reversed(table.values()):
        parent = table.get(found.parent)
        arrives = parent is not None and parent.follows
        if found.source.startswith("/dev/") and found.path not in kept and not arrives:
            with suppress(OSError):  # something is mounted on it that is kept
                mount_table.unmount(found.path, detach=True)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DriverError(f"mount {' '.join(words)}: {done.stderr.strip()}")


def _checked(result: int, message: str) -> None:
    if result:
        raise DriverError(f"{message}: {os.strerror(ctypes.get_errno())}")
