"""Identifiers: what has the form of one. Ids, names and addresses of entities are never mixed up."""

from __future__ import annotations

import re

from share_actors.values.checks.limits import NAME

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""Every recorded id, and the name of every share type and backend.

Ids that clients choose are UUIDs; logs of earlier versions may hold others.
"""
_ID = re.compile(ID_PATTERN.strip("^$"))
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


def is_id(text: object) -> bool:
    """Whether *text* has the form of a recorded id: nothing else is looked up as one."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether *text* is a UUID in the spelling of `str(uuid.UUID(...))`."""
    return _UUID.fullmatch(text) is not None


def check_uuid(text: str) -> str:
    """*text*; raises ValueError unless it is a UUID in its usual spelling, so that each has one only."""
    if not is_uuid(text):
        raise ValueError(
            "is not a UUID in lower case, such as 5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d11"
        )
    return text


def is_name(text: str) -> bool:
    """Whether something may be named *text*: nothing else is looked up as a name."""
    return len(text) <= NAME.most and text.isprintable()
