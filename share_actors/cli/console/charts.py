"""Capacity over time as the coordinates of a drawing, in steps: a report counts until the next one. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from share_actors.audit.capacity import CapacityPoint

WIDTH, HEIGHT = 600.0, 120.0
"""The size of the drawing, in its own units; a page stretches it."""


class Span(NamedTuple):
    """A part of the drawing's width, in which the backend was down."""

    x: float
    width: float


class Chart(NamedTuple):
    """The paths of what is *used* and of the *total*; *top* is the capacity in GiB at the upper edge."""

    used: str
    total: str
    down: tuple[Span, ...]
    top: float
    start: datetime
    end: datetime


def chart(points: Sequence[CapacityPoint], start: datetime | None, end: datetime) -> Chart | None:
    """*points* drawn from *start* (None: from the first point) until *end*; None without a number to draw."""
    known = [number for p in points for number in (p.total, shown_used(p)) if number is not None]
    if not known:
        return None
    first = max(points[0].at, start) if start is not None else points[0].at
    seconds = max((end - first).total_seconds(), 1.0)
    top = nice(max(known))
    edges = [*(max(p.at, first) for p in points), end]
    xs = [round((at - first).total_seconds() / seconds * WIDTH, 1) for at in edges]
    steps = [*zip(points, pairwise(xs), strict=True)]
    return Chart(
        used=_area([(x, shown_used(point)) for point, x in steps], top),
        total=_line([(x, point.total) for point, x in steps], top),
        down=tuple(Span(x, max(1.0, to - x)) for point, (x, to) in steps if not point.up),
        top=top,
        start=first,
        end=end,
    )


def shown_used(point: CapacityPoint) -> float | None:
    """What is used, or what is allocated to shares if the backend does not report how much is free."""
    return point.used if point.used is not None else point.allocated


def nice(number: float) -> float:
    """The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not less than *number*."""
    if number <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(number))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= number * (1 - 1e-9))


Step = tuple[tuple[float, float], float | None]


def _y(number: float, top: float) -> float:
    return round(HEIGHT - number / top * HEIGHT, 1)


def _area(steps: Sequence[Step], top: float) -> str:
    parts = [
        f"M{x} {HEIGHT}V{_y(number, top)}H{to}V{HEIGHT}Z"
        for (x, to), number in steps
        if number is not None
    ]
    return "".join(parts)


def _line(steps: Sequence[Step], top: float) -> str:
    parts: list[str] = []
    joined = False
    for (x, to), number in steps:
        if number is None:
            joined = False
            continue
        parts.append(f"{'L' if joined else 'M'}{x} {_y(number, top)}H{to}")
        joined = True
    return "".join(parts)
