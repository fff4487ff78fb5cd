"""Ids as names of directories."""

from __future__ import annotations

import re

from share_actors.drivers.base import DriverError

MAX_ID = 120


_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def checked_id(what: str, value: str) -> str:
    """*value* if it can be one name of a file; raises `DriverError` naming it otherwise."""
    if len(value) > MAX_ID or not _ID.fullmatch(value):
        raise DriverError(
            f"{what} id {value[: MAX_ID + 1]!r} cannot name a directory: up to {MAX_ID} letters, digits,"
            " '_', '-' and '.', not starting with '-' or '.'"
        )
    return value
