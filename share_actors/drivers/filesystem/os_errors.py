"""Errors of the operating system in the words of the driver port."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from share_actors.drivers.base import DriverError, TransientError

TRANSIENT = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOLCK,
        errno.ENOMEM,
        errno.ENOTEMPTY,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""What another attempt may not meet; a full disk is not among them."""


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Raise `DriverError` or `TransientError`, naming *what* was being done, for an `OSError`."""
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in TRANSIENT else DriverError
        raise kind(f"{what}: {told(error)}") from error


def told(error: OSError) -> str:
    """The error as an operator knows it: `No space left on device (ENOSPC): path`."""
    code = error.errno or 0
    name = errno.errorcode.get(code, str(code))
    text = f"{os.strerror(code)} ({name})" if code else str(error)
    at = error.filename
    return f"{text}: {at}" if isinstance(at, str) and not at.startswith("/proc/self/") else text
