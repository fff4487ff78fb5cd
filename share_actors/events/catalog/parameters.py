"""The parameters of the catalog's queries: filters, limits and markers, checked."""

from __future__ import annotations

from typing import Any, get_args

from share_actors.errors import InvalidRequest, showable, shown
from share_actors.events.catalog import sql
from share_actors.values import ShareStatus

MAX_LIMIT = 1_000
"""The most rows of a page."""


def share_filters(
    name: str | None,
    status: str | None,
    project_id: str | None,
    backend: str | None,
    is_public: bool | None,
) -> sql.Filters:
    """Return the filters of shares; raises `InvalidRequest` for an unknown status."""
    check_value("status", status, ShareStatus)
    return {
        "name": name,
        "status": status,
        "project_id": project_id,
        "backend": backend,
        "is_public": None if is_public is None else int(is_public),
    }


def check_value(field: str, value: str | None, literal: Any) -> None:
    """Raise `InvalidRequest` unless *value* is None or one of the *literal* type."""
    if value is not None and value not in get_args(literal):
        message = f"{field}: {shown(value)} is not one of {', '.join(get_args(literal))}"
        raise InvalidRequest(message, field=field, value=value)


def check_limit(limit: int) -> int:
    """Return *limit*; raises `InvalidRequest` unless it is 1 to `MAX_LIMIT`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(
            f"limit: {shown(limit)} is not 1 to {MAX_LIMIT}", field="limit", value=showable(limit)
        )
    return limit


def after_marker(marker: str | None, table: sql.Table) -> list[str]:
    """Return the sort key of the last row of the previous page."""
    after = [] if marker is None else marker.split(",")
    if after and len(after) != len(table.order):
        raise InvalidRequest(
            f"marker: {shown(marker)} is not the next_marker of a page of these",
            field="marker",
            value=marker,
        )
    return after
