"""The errors of a filesystem that have a cause of their own, and something to do about it.

`os_errors` raises them for the numbers of `OSError`; a driver that learns of them in another way raises
them itself.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from share_actors.drivers.errors import DriverError, TransientError


class QuotaExceeded(DriverError):
    """A quota is used up, that of the share or that of a user (EDQUOT): delete files, or extend the share."""

    code = "quota_exceeded"


class NoSpaceLeft(DriverError):
    """The filesystem is full (ENOSPC): delete shares or snapshots, or enlarge it, then retry the share."""

    code = "no_space_left"


class FilesystemReadOnly(DriverError):
    """The filesystem is read-only (EROFS): fix the cause and remount it, then retry the share."""

    code = "filesystem_read_only"


class FilesystemBusy(TransientError):
    """A program of the machine uses what is to be changed (EBUSY); the call is attempted again."""

    code = "filesystem_busy"


STORAGE_ERRORS: Mapping[int, type[DriverError]] = MappingProxyType(
    {
        errno.EDQUOT: QuotaExceeded,
        errno.ENOSPC: NoSpaceLeft,
        errno.EROFS: FilesystemReadOnly,
        errno.EBUSY: FilesystemBusy,
    }
)
"""By the number of the `OSError`."""
STORAGE_ADVICE: Mapping[int, str] = MappingProxyType(
    {
        errno.EDQUOT: "a quota is used up; delete files, or enlarge the quota",
        errno.ENOSPC: "the filesystem is full; delete shares or snapshots, or enlarge it",
        errno.EROFS: "the filesystem is read-only; see the kernel's log for the cause, then remount it",
        errno.EBUSY: "a program of this machine uses it; end that program, then repeat the operation",
    }
)
"""What to do about them, by the number of the `OSError`."""
