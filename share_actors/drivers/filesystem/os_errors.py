"""Translation of `OSError` into the errors of the driver port."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.storage_errors import STORAGE_ADVICE, STORAGE_ERRORS

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
    **STORAGE_ADVICE,
    errno.EDQUOT: "the share has reached its size; delete files, or extend it",
}
"""What to do about the errors of a filesystem that enforces sizes, by their number."""


@contextmanager
def os_errors(
    operation: str, *, temporary: str = "", advice: Mapping[int, str] = STORAGE_ADVICE
) -> Iterator[None]:
    """Raise `DriverError` or `TransientError`, with the name of the operation, for an `OSError`.

    Some numbers have a class of their own (`STORAGE_ERRORS`).
    The name *temporary* is a `*` in the text, so that each failure for one cause has the same text. The text
    ends with the *advice* for the number of the error, if there is any.
    """
    try:
        yield
    except OSError as error:
        default = TransientError if error.errno in TRANSIENT else DriverError
        kind = STORAGE_ERRORS.get(error.errno or 0, default)
        text = error_text(error)
        text = text.replace(temporary, "*") if temporary else text
        hint = advice.get(error.errno or 0)
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
