"""The queries of the catalog: their names, their parameters, and which of them need all of the log."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from inspect import signature
from typing import Any

from share_actors.errors import InvalidRequest, showable, shown
from share_actors.events.catalog import Catalog

LISTS = frozenset(
    ("shares", "count_shares", "snapshots", "count_snapshots", "rules", "count_rules", "entities")
)
"""They say how far they are. What the system itself asks for, it acts upon: then they are whole."""
WHOLE = frozenset(
    "named snapshot owing rule_share snapshot_share command_shares source copies on_network".split()  # noqa: SIM905
)
"""They find something anywhere in the log, so their answers are right only if all of it is applied."""
_OTHERS = ("limit", "share_ids", "projects", "addresses")
"""The parameters that are not texts."""
QUERIES = LISTS | WHOLE | {"share", "room", "uses", "entity", "has_command"}
"""The others are about single entities, whose streams have what is not applied; and see `Rooms`."""
SYSTEM_QUERIES = frozenset(
    ("owing", "room", "uses", "source", "copies", "on_network", "has_command")
)
"""The queries about all projects together."""


def key(parameters: Mapping[str, Any]) -> Hashable:
    """Equal for equal *parameters*; its own for values that cannot be printed (huge numbers)."""
    try:
        return repr(sorted(parameters.items()))
    except ValueError:
        return object()


def check(query: str, parameters: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless *query* is one, and *parameters* are those of its method."""
    if query not in QUERIES:
        raise InvalidRequest(f"{query!r} is not a query", field="query", value=query)
    allowed = list(signature(getattr(Catalog, query)).parameters)[1:]
    for field, value in parameters.items():
        if field not in allowed:
            message = f"{field}: not a filter of {query}, which has: {', '.join(allowed)}"
            raise InvalidRequest(message, field=field, value=showable(value))
        if field == "is_public":
            if not isinstance(value, bool | None):
                text = f"{field}: {shown(value)} is not True or False"
                raise InvalidRequest(text, field=field, value=showable(value))
            continue
        if field not in _OTHERS and not isinstance(value, str | None):
            text = f"{field}: {shown(value)} is not a string"
            raise InvalidRequest(text, field=field, value=showable(value))
        if isinstance(value, str) and not _storable(value):
            text = f"{field}: holds a character that cannot be stored: {shown(value)}"
            raise InvalidRequest(text, field=field, value=showable(value))


def _storable(text: str) -> bool:
    """Whether a database takes *text*: no NUL, and no half of a pair of surrogates."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text
