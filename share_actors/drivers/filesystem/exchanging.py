"""Exchange two files or directories at once: renameat2(2) with RENAME_EXCHANGE."""

from __future__ import annotations

import ctypes
import errno
import os

from share_actors.drivers.base import RefusedByBackend

_RENAME_EXCHANGE = 2
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: int, other: int, name: str, other_name: str | None = None) -> None:
    """Exchange the entries *name* of two open directories of one filesystem, in one step.

    In the directory *other* the entry is *other_name*, if that is given. Raises `RefusedByBackend` if the
    filesystem or the C library cannot do that, and `OSError`.
    """
    encoded, others = os.fsencode(name), os.fsencode(other_name or name)
    try:
        code = _libc.renameat2(one, encoded, other, others, _RENAME_EXCHANGE)
    except AttributeError:  # the C library is older than glibc 2.28 or musl 1.2.5
        code = -1
        ctypes.set_errno(errno.ENOSYS)
    if not code:
        return
    problem = ctypes.get_errno()
    if problem in _UNSUPPORTED:
        path = os.readlink(f"/proc/self/fd/{other}")
        raise RefusedByBackend(
            f"the filesystem of {path} cannot exchange two entries in one step"
            f" (renameat2: {os.strerror(problem)}): nothing was changed"
        )
    raise OSError(problem, os.strerror(problem), name)
