"""Read what a driver's methods return: also in the forms that Manila's drivers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from share_actors.drivers.base import DriverError
from share_actors.drivers.stat_values import shown
from share_actors.values import ExportLocation

EXPECTED = "a list of ExportLocation(path=...), or of paths"


def read_exports(method: str, returned: object) -> tuple[ExportLocation, ...]:
    """The export locations that *method* has returned: values, Manila's mappings, or paths.

    Raises `DriverError` that names the method and what it returned.
    """
    items = [returned] if isinstance(returned, str) else returned
    if not isinstance(items, Sequence) or isinstance(items, bytes):
        raise DriverError(f"{method} returned {shown(returned)}: expected {EXPECTED}")
    return tuple(_location(method, item) for item in items)


def _location(method: str, item: object) -> ExportLocation:
    match item:
        case ExportLocation():
            return item
        case str() if item:
            return ExportLocation(path=item)
        case Mapping() if isinstance(item.get("path"), str):
            return _of_mapping(method, item)
        case _:
            raise DriverError(f"{method} returned {shown(item)} in its list: expected {EXPECTED}")


def _of_mapping(method: str, item: Mapping[str, Any]) -> ExportLocation:
    """The location in Manila's form: it has `preferred` in its metadata."""
    found = {name: item[name] for name in ExportLocation.model_fields if name in item}
    metadata = item.get("metadata")
    if isinstance(metadata, Mapping) and "preferred" in metadata:
        found.setdefault("preferred", metadata["preferred"])
    try:
        return ExportLocation(**found)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise DriverError(f"{method} returned {shown(item)}: {field}: {problem['msg']}") from None
