"""Old events read as new ones: one function for each step from a schema version to the next.

An event's file in `tests/golden/events` stays for ever, and so does its way through this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from share_actors.errors import LogError, LogTooNew

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Upcasters = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Upcasters = MappingProxyType(
    {
        ("share.creation_requested", 1): lambda old: {
            **old, "share_network_id": None, "placement": None,
        },
    }
)  # fmt: skip
"""By topic and the schema version that is read: the event's fields as the next version has them."""


def upcast(
    topic: str, fields: dict[str, Any], *, version: int, known: int, table: Upcasters = UPCASTERS
) -> dict[str, Any]:
    """*fields*, written under schema *version*, as schema *known* has them.

    Raises `LogTooNew` when *version* is beyond *known*, and `LogError` when a step is missing.
    """
    if version > known:
        raise LogTooNew(f"schema version {version} is newer than {known}, the newest known here")
    for step in range(version, known):
        if (topic, step) not in table:
            raise LogError(f"there is no upcaster for {topic} from schema version {step}")
        fields = table[topic, step](fields)
    return fields
