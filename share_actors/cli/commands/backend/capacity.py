"""`share-actors backend capacity`: the capacity of a backend over time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.options import BackendArgument
from share_actors.cli.output import Column, Table
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest, showable, shown

if TYPE_CHECKING:
    from share_actors.audit.capacity import CapacityPoint

BAR = 20
"""How many characters a full backend takes in the table."""


def _gib(number: float | None) -> str | None:
    return None if number is None else f"{number:.1f}"


def _part(point: CapacityPoint) -> float | None:
    return round(point.used / point.total, 4) if point.used is not None and point.total else None


def _bar(point: CapacityPoint) -> str | None:
    """The used part as a bar: `####----`."""
    if point.used is None or not point.total:
        return None
    filled = max(0, min(BAR, round(BAR * point.used / point.total)))
    return "#" * filled + "-" * (BAR - filled)


def _shown(field: str) -> Callable[[CapacityPoint], str | None]:
    return lambda point: _gib(getattr(point, field))


CAPACITY = Table(
    "point",
    (
        Column("AT", "at", "time", 0),
        Column("STATUS", "up", "word", 2, shown=lambda point: "up" if point.up else "down"),
        *(
            Column(field.upper(), field, "size", priority, shown=_shown(field))
            for field, priority in (("total", 1), ("used", 1), ("free", 1), ("allocated", 2))
        ),
        Column("USED PART", "used_part", "word", 3, _part, _bar),
    ),
    identity=None,
    times="absolute",
)


def _parse_time(field: str, text: str | None) -> datetime | None:
    """The time in *text*; UTC, unless it has a time zone. Raises `InvalidRequest`."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        reason = f"{field}: is not a time such as 2026-03-01 or 2026-03-01T12:00: {shown(text)}"
        raise InvalidRequest(reason, field=field, value=showable(text)) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


@command(
    "backend capacity",
    table=CAPACITY,
    examples=["backend capacity fast", "backend capacity fast --since 2026-03-01 --json"],
)
def capacity(
    session: Session,
    backend: BackendArgument,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on; UTC by default.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Up to this time.")] = None,
    limit: Annotated[int, typer.Option(help="Show the latest points, at most 1000.")] = 100,
) -> None:
    """Show the capacity of a backend over time, in GiB, as the sum of its pools.

    A report is recorded when a pool's free or allocated capacity has changed by more than a tenth of its
    total, so each line is accurate to within a tenth of the total until the next line.
    """
    points = session.system.backends.capacity(
        backend,
        since=_parse_time("since", since),
        until=_parse_time("until", until),
        limit=limit,
    )
    session.output.print_items(
        CAPACITY,
        points,
        lambda found: {
            "backend": backend,
            "capacity": [{**point.model_dump(mode="json"), "used": point.used} for point in found],
        },
    )
