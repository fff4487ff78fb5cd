"""The btrfs operations of the kernel: ioctls on open directories, and quotas in sysfs. All need root.

Numbers and structures are those of linux/btrfs.h. Functions raise `OSError`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

QuotaMode = Literal["simple", "qgroup"]
FIRST_INODE = 256
"""The inode of the top directory of every subvolume."""
SYSFS = Path("/sys/fs/btrfs")
_MAGIC = 0x94
_READ_ONLY = 1 << 1
_ENABLE_QGROUPS, _ENABLE_SIMPLE = 1, 4
_MODES: dict[str, QuotaMode] = {"squota": "simple", "qgroup": "qgroup"}
_UNLIMITED = 2**64 - 1
_NAME = 4040  # bytes for a name in btrfs_ioctl_vol_args_v2
_libc = ctypes.CDLL(None, use_errno=True)


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | _MAGIC << 8 | number


_CREATE = _number(1, 14, 4096)
_DESTROY = _number(1, 15, 4096)
_LOOKUP = _number(3, 18, 4096)
_SNAPSHOT = _number(1, 23, 4096)
_GET_FLAGS, _SET_FLAGS = _number(2, 25, 8), _number(1, 26, 8)
_FILESYSTEM = _number(2, 31, 1024)
_QUOTA = _number(3, 40, 16)
_LIMIT = _number(2, 43, 48)
_CHILDREN = _number(3, 61, 4096)


def _call(fd: int, number: int, argument: bytes) -> bytes:
    buffer = bytearray(argument)
    fcntl.ioctl(fd, number, buffer, True)
    return bytes(buffer)


def create_subvolume(parent: int, name: str) -> None:
    """Create the empty subvolume *name* in the open directory *parent*."""
    _call(parent, _CREATE, struct.pack("q4088s", 0, os.fsencode(name)))


def destroy_subvolume(parent: int, name: str) -> None:
    """Destroy the subvolume *name* in *parent* in one step; its space is freed later."""
    _call(parent, _DESTROY, struct.pack("q4088s", 0, os.fsencode(name)))


def snapshot_subvolume(source: int, parent: int, name: str, *, read_only: bool) -> None:
    """Make the subvolume *name* in *parent*, with the content of the open subvolume *source*."""
    flags = _READ_ONLY if read_only else 0
    argument = struct.pack(f"qQQ32s{_NAME}s", source, 0, flags, b"", os.fsencode(name))
    _call(parent, _SNAPSHOT, argument)


def tree_id(fd: int) -> int:
    """The id of the subvolume that the open directory is in; ids are never used twice."""
    found: int = struct.unpack_from("Q", _call(fd, _LOOKUP, struct.pack("QQ4080s", 0, 256, b"")))[0]
    return found


def is_subvolume(fd: int) -> bool:
    """Whether the open directory is the top of a subvolume."""
    return os.fstat(fd).st_ino == FIRST_INODE


def is_read_only(fd: int) -> bool:
    """Whether the subvolume is read-only, as snapshots are."""
    return bool(struct.unpack("Q", _call(fd, _GET_FLAGS, bytes(8)))[0] & _READ_ONLY)


def set_read_only(fd: int, read_only: bool) -> None:
    """Make the subvolume read-only, or writable."""
    _call(fd, _SET_FLAGS, struct.pack("Q", _READ_ONLY if read_only else 0))


def filesystem_id(fd: int) -> str:
    """The id of the filesystem, as in the names below /sys/fs/btrfs."""
    return str(uuid.UUID(bytes=_call(fd, _FILESYSTEM, bytes(1024))[16:32]))


def children(fd: int) -> Iterator[tuple[int, str]]:
    """The subvolumes directly inside the open one: id, and path of the directory that has it.

    The path is relative to the subvolume, with a slash at the end, or empty.
    """
    smallest, more = 0, True
    while more:
        buffer = bytearray(struct.pack("Q", smallest) + bytes(4088))
        try:
            fcntl.ioctl(fd, _CHILDREN, buffer, True)
            more = False
        except OSError as error:
            if error.errno != errno.EOVERFLOW:  # there are more than one call returns
                raise
        for n in range(buffer[4088]):
            tree, directory = struct.unpack_from("QQ", buffer, 8 + 16 * n)
            yield tree, _path_of(fd, directory)
            smallest = tree + 1


def _path_of(fd: int, inode: int) -> str:
    answer = _call(fd, _LOOKUP, struct.pack("QQ4080s", 0, inode, b""))
    return os.fsdecode(answer[16:].split(b"\0", 1)[0])


def sync(fd: int) -> None:
    """Write everything to disk and commit, after which the quotas count what was written."""
    if _libc.syncfs(fd):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def exchange(first: tuple[int, str], second: tuple[int, str]) -> None:
    """Exchange two entries, each given by its open directory and name, in one step."""
    swap = 2  # RENAME_EXCHANGE
    names = os.fsencode(first[1]), os.fsencode(second[1])
    if _libc.renameat2(first[0], names[0], second[0], names[1], swap):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), first[1])


# -- quotas --------------------------------------------------------------------------------------
def quota_mode(filesystem: str) -> QuotaMode | None:
    """The mode of the quotas of the filesystem; None if they are off."""
    try:
        return _MODES.get((SYSFS / filesystem / "qgroups" / "mode").read_text().strip())
    except FileNotFoundError:
        return None


def enable_quota(top: int, mode: QuotaMode) -> None:
    """Switch quotas on; a kernel before 6.7 has no simple ones and gets full qgroups."""
    try:
        command = _ENABLE_SIMPLE if mode == "simple" else _ENABLE_QGROUPS
        _call(top, _QUOTA, struct.pack("QQ", command, 0))
    except OSError as error:
        if mode != "simple" or error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        _call(top, _QUOTA, struct.pack("QQ", _ENABLE_QGROUPS, 0))


def set_limit(top: int, tree: int, size: int | None) -> None:
    """Limit the subvolume *tree* to *size* bytes; None: no limit.

    *top* is the open top subvolume: through one that uses more than its limit the kernel refuses with EDQUOT.
    """
    most = _UNLIMITED if size is None else size
    _call(top, _LIMIT, struct.pack("QQQQQQ", tree, 1, most, 0, 0, 0))


def used(filesystem: str, tree: int) -> int:
    """The bytes that count for the subvolume, as of the last commit."""
    return _quota(filesystem, tree, "referenced")


def limit(filesystem: str, tree: int) -> int | None:
    """The limit of the subvolume in bytes; None if it has none."""
    found = _quota(filesystem, tree, "max_referenced")
    return found if 0 < found < _UNLIMITED else None


def _quota(filesystem: str, tree: int, name: str) -> int:
    return int((SYSFS / filesystem / "qgroups" / f"0_{tree}" / name).read_text())
