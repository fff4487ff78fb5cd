"""Durations as users write them: a whole number and a unit, such as `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION = "a whole number with a unit, such as 30m, 36h, 7d or 2w"
_DURATION = re.compile(r"(\d{1,6})(m|h|d|w)", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta | None:
    """The duration that *text* means; None if it means none."""
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})
