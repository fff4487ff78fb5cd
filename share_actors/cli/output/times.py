"""Times for people: the moment in UTC, or how long ago it was."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
"""Up to which age: the unit, its letter, and the smaller unit beside it, as in kubectl's AGE."""


def format_time(at: datetime) -> str:
    """*at* in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_age(at: datetime, now: datetime) -> str:
    """How long *at* is before *now*, or after it: `45s ago`, `3m12s ago`, `in 5h`."""
    seconds = round((now - at).total_seconds())
    return f"in {duration(-seconds)}" if seconds < 0 else f"{duration(seconds)} ago"


def duration(seconds: int) -> str:
    """*seconds* in one or two units: `119s`, `3m12s`, `5h30m`, `2d4h`, `400d`, `9y`."""
    for limit, unit, letter, smaller, small_letter in _STEPS:
        if seconds < limit:
            rest = seconds % unit // smaller if smaller else 0
            return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{seconds // _YEAR}y"
