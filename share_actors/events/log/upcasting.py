"""Upcasters: functions that convert an event's fields from one schema version to the next.

The golden files in `tests/golden/events` are permanent, and so are the upcasters that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from share_actors.errors import LogError, LogTooNew
from share_actors.values import nest_spec

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Upcasters = Mapping[tuple[str, int], Upcaster]


def _share_creation_requested_1(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "share_network_id": None, "placement": None}


def _attempt_failed_1(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "planned": False}


UPCASTERS: Upcasters = MappingProxyType(
    {
        ("share.attempt_failed", 1): _attempt_failed_1,
        ("share.creation_requested", 1): _share_creation_requested_1,
        ("share.creation_requested", 2): nest_spec,
        ("share.manage_requested", 1): nest_spec,
    }
)
"""By topic and schema version: the conversion to the next version."""


def upcast(
    topic: str, fields: dict[str, Any], *, version: int, current: int, table: Upcasters = UPCASTERS
) -> dict[str, Any]:
    """Convert *fields* from schema *version* to the *current* one.

    Raises `LogTooNew` if *version* is newer than *current*, and `LogError` if an upcaster is missing.
    """
    if version > current:
        raise LogTooNew(f"schema version {version} is newer than the current version {current}")
    for step in range(version, current):
        if (topic, step) not in table:
            raise LogError(f"there is no upcaster for {topic} from schema version {step}")
        fields = table[topic, step](fields)
    return fields
