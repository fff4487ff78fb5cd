"""Translation of `OSError` into the errors of the driver port."""

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
"""The errors that a later attempt may not meet; a full disk is not among them."""


@contextmanager
def os_errors(operation: str, *, temporary: str = "") -> Iterator[None]:
    """Raise `DriverError` or `TransientError`, with the name of the operation, for an `OSError`.

    The name *temporary* is a `*` in the text, so that each failure for one cause has the same text.
    """
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in TRANSIENT else DriverError
        text = error_text(error)
        text = text.replace(temporary, "*") if temporary else text
        raise kind(f"{operation}: {text}") from error


def error_text(error: OSError) -> str:
    """The error as text with its name and path: `No space left on device (ENOSPC): path`."""
    code = error.errno or 0
    name = errno.errorcode.get(code, str(code))
    text = f"{os.strerror(code)} ({name})" if code else str(error)
    path = error.filename
    if isinstance(path, str) and not path.startswith("/proc/self/"):
        return f"{text}: {path}"
    return text
