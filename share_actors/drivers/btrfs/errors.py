"""The errors of the kernel as errors of the driver port, with what to do about them."""

from __future__ import annotations

from contextlib import AbstractContextManager

from share_actors.drivers.filesystem.os_errors import QUOTA_ADVICE, os_errors


def btrfs_errors(operation: str) -> AbstractContextManager[None]:
    """Raise `DriverError` or `TransientError` for an `OSError`, with the name of the operation and advice."""
    return os_errors(operation, advice=QUOTA_ADVICE)
