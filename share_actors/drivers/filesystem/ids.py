"""Validation of ids that become names of directories."""

from __future__ import annotations

import re

from share_actors.drivers.base import DriverError

MAX_ID = 120
"""The longest id, in characters."""
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def checked_id(kind: str, value: str) -> str:
    """*value*, if it is valid as a file name; otherwise raises `DriverError` with *kind* and value."""
    if len(value) > MAX_ID or not _ID.fullmatch(value):
        raise DriverError(
            f"{kind} id {value[: MAX_ID + 1]!r} is not a valid directory name: up to {MAX_ID} letters,"
            " digits, '_', '-' and '.', not starting with '-' or '.'"
        )
    return value
