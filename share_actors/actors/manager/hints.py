"""The scheduler hints of a request, each a property of its own or in `scheduler_hints`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from share_actors.actors.messaging.parameters import refuse
from share_actors.errors import InvalidRequest, showable, shown
from share_actors.values.manila import HINTS

ID_HINTS = ("same_host", "different_host")
"""The hints whose values are ids of shares."""


def with_hints(properties: Mapping[str, Any]) -> dict[str, Any]:
    """*properties* with each hint in its own property: ids as a tuple, and `only_host` as `host`.

    A hint of None or without any id is none. Raises `InvalidRequest` for an unknown hint, one of another
    type, or two different values.
    """
    found = dict(properties)
    for name, value in _nested(found.pop("scheduler_hints", None)).items():
        _set(found, name, value, "scheduler_hints")
    for name in ID_HINTS:
        if name in found:
            found[name] = _ids(name, found[name])
    only = found.pop("only_host", None)
    if only is not None:
        _set(found, "host", only, "only_host")
    return found


def _nested(hints: Any) -> Mapping[str, Any]:
    if hints is None:
        return {}
    if not isinstance(hints, Mapping):
        refuse("scheduler_hints", hints, "is not a mapping")
    for name in hints:
        if name not in HINTS:
            message = f"scheduler_hints: {shown(name)} is not a hint; there are: {', '.join(HINTS)}"
            raise InvalidRequest(message, field="scheduler_hints", value=showable(name))
    return hints


def _set(properties: dict[str, Any], name: str, value: Any, by: str) -> None:
    """Set the property *name*, which *by* names as well; raises unless both agree."""
    before = properties.get(name)
    if before is not None and value is not None and before != value:
        message = f"{by}: {shown(value)} contradicts {name}, which is {shown(before)}"
        raise InvalidRequest(message, field=by, value=showable(value))
    properties[name] = value if before is None else before


def _ids(name: str, value: Any) -> tuple[str, ...]:
    """The ids in *value*: a sequence of texts, or a text with commas between them."""
    items: Iterable[Any] = () if value is None else value
    if isinstance(value, str):
        items = value.split(",")
    elif not isinstance(items, list | tuple | set | frozenset):
        items = (None,)
    if not all(isinstance(item, str) for item in items):
        refuse(name, value, "is not a list of ids of shares")
    ids = (
        item.strip() for item in (sorted(items) if isinstance(items, set | frozenset) else items)
    )
    return tuple(dict.fromkeys(item for item in ids if item))
