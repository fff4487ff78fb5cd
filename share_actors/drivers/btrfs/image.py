"""Image files: create and format one for trying out, and attach it to a loop device."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path

from share_actors.drivers.base import DriverError
from share_actors.drivers.command_process import run_process

GIB = 1024**3
_GET_FREE, _CONFIGURE = 0x4C82, 0x4C0A
_DETACH_AT_LAST_CLOSE = 4
_ATTEMPTS = 100  # other programs may take the free device first
_FLAGS_AT, _NAME_AT, _LENGTH = 8 + 52, 8 + 56, 304  # offsets in `struct loop_config`


def make_image(path: Path, size_gib: int) -> None:
    """Create the sparse image *path* with an empty btrfs, unless there is a file with content.

    Nothing that exists and is not empty is formatted. mkfs.btrfs keeps the locks of the caller until it ends.
    Raises `DriverError`, and `OSError`.
    """
    if os.path.lexists(path) and (not path.is_file() or path.stat().st_size):
        return
    if shutil.which("mkfs.btrfs") is None:
        raise DriverError(
            f"cannot format {path}: mkfs.btrfs is not installed (package btrfs-progs)"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()  # left by an interrupted start
    with new.open("xb") as file:
        file.truncate(size_gib * GIB)
    code, _, told = run_process(["mkfs.btrfs", "-q", str(new)], None, None, None)
    if code:
        new.unlink()
        raise DriverError(f"mkfs.btrfs could not format {path}: {told.strip()}")
    new.rename(path)


def attached(path: Path) -> Path | None:
    """The loop device that *path* is attached to."""
    for found in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):  # detached meanwhile
            if found.read_text().rstrip("\n") == str(path.resolve()):
                return Path("/dev") / found.parent.parent.name
    return None


def opened(path: Path) -> int | None:
    """The loop device that *path* is attached to, opened, or None.

    An unmounted device is detached some time later, when another mount namespace has let go of it; from the
    moment it is open here it stays, so it is looked at once more after that.
    """
    if (found := attached(path)) is None:
        return None
    fd = os.open(found, os.O_RDONLY | os.O_CLOEXEC)
    if attached(path) == found:
        return fd
    os.close(fd)
    return None


def attach(path: Path) -> int:
    """Attach *path* to a free loop device and open it; it is detached when nothing uses it any more.

    The caller mounts it and then closes the descriptor.
    """
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            device = fcntl.ioctl(control, _GET_FREE)
            fd = os.open(f"/dev/loop{device}", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, _CONFIGURE, _loop_config(file, path))
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
                continue
            return fd
    finally:
        os.close(control)
        os.close(file)
    raise OSError(errno.EBUSY, "other programs took every free loop device", str(path))


def _loop_config(file: int, path: Path) -> bytes:
    config = bytearray(_LENGTH)
    struct.pack_into("II", config, 0, file, 0)
    struct.pack_into("I", config, _FLAGS_AT, _DETACH_AT_LAST_CLOSE)
    name = os.fsencode(path)[:63]
    config[_NAME_AT : _NAME_AT + len(name)] = name
    return bytes(config)
