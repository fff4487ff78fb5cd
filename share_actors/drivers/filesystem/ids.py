"""Validation of ids that become names of directories."""

from __future__ import annotations

import re

from share_actors.drivers.base import DriverError

MAX_ID = 120
"""The longest id, in characters."""
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def is_id(value: str) -> bool:
    """Whether *value* is valid as an id, and so as a file name."""
    return len(value) <= MAX_ID and _ID.fullmatch(value) is not None


def checked_id(kind: str, value: str) -> str:
    """*value*, if it is valid as a file name; otherwise raises `DriverError` with *kind* and value."""
    if not is_id(value):
        raise DriverError(
            f"{kind} id {value[: MAX_ID + 1]!r} is not a valid directory name: up to {MAX_ID} letters,"
            " digits, '_', '-' and '.', not starting with '-' or '.'"
        )
    return value
