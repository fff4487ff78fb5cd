"""Translation of `OSError` into the errors of the driver port."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
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


QUOTA_ADVICE: Mapping[int, str] = {
    errno.EDQUOT: "the share has reached its size; delete files, or extend it",
    errno.ENOSPC: "the filesystem is full; delete shares or snapshots, or enlarge it",
    errno.EROFS: "the filesystem is read-only; see the kernel's log for the cause, then remount it",
    errno.EBUSY: "a program of this machine uses it; end that program, then repeat the operation",
}
"""What to do about the errors of a filesystem that enforces sizes, by their number."""


@contextmanager
def os_errors(
    operation: str, *, temporary: str = "", advice: Mapping[int, str] | None = None
) -> Iterator[None]:
    """Raise `DriverError` or `TransientError`, with the name of the operation, for an `OSError`.

    The name *temporary* is a `*` in the text, so that each failure for one cause has the same text. The text
    ends with the *advice* for the number of the error, if there is any.
    """
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in TRANSIENT else DriverError
        text = error_text(error)
        text = text.replace(temporary, "*") if temporary else text
        hint = (advice or {}).get(error.errno or 0)
        raise kind(f"{operation}: {text}{f': {hint}' if hint else ''}") from error


def error_text(error: OSError) -> str:
    """The error as text with its name and path: `No space left on device (ENOSPC): path`."""
    code = error.errno or 0
    name = errno.errorcode.get(code, str(code))
    text = f"{os.strerror(code)} ({name})" if code else str(error)
    path = error.filename
    if isinstance(path, str) and not path.startswith("/proc/self/"):
        return f"{text}: {path}"
    return text
