"""How times, sizes and counts are written on the pages. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup, escape

from share_actors.values import BackendReport
from share_actors.values import gib as pool_gib
from share_actors.values.checks.escaping import escaped

NO_NUMBER = "\N{EN DASH}"
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def shown(value: object) -> object:
    """*value* as it is put into a page: nothing for None, and control characters as escapes."""
    if value is None:
        return ""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def clock(at: datetime) -> str:
    """*at* in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(at: datetime, now: datetime) -> str:
    """How long before or after *now* it is, in its largest unit: `3 min ago`, `in 2 s`."""
    seconds = (now - at).total_seconds()
    size, unit = next(((s, u) for s, u in UNITS if abs(seconds) >= s), UNITS[-1])
    number = round(abs(seconds)) // size
    if number == 0:
        return "now"
    return f"{number} {unit} ago" if seconds > 0 else f"in {number} {unit}"


def gib(number: float | None) -> str:
    """A capacity with its unit; one that is not known or has no limit as a dash."""
    if number is None:
        return NO_NUMBER
    if number >= 10240:
        return f"{number / 1024:,.1f} TiB"
    digits = 0 if number == int(number) or number >= 100 else 1
    return f"{number:,.{digits}f} GiB"


def prose(text: str) -> Markup:
    """*text* with what is between backquotes as code."""
    parts = [escape(shown(part)) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part)
        if n % 2 and n < len(parts) - 1
        else _plain(n, part, len(parts))
        for n, part in enumerate(parts)
    )


def _plain(n: int, part: Markup, parts: int) -> Markup:
    """*part* n of a text, with the backquote that has no second one."""
    return Markup("`") + part if n % 2 and n == parts - 1 else part


def free(report: BackendReport) -> float | None:
    """What is free of all pools of a backend, in GiB; None if it is not known or has no limit."""
    if report.capabilities is None:
        return None
    total = sum(pool_gib(pool.free_capacity_gib) for pool in report.capabilities.pools)
    return total if math.isfinite(total) else None


def many(number: int, noun: str) -> str:
    """`1 share`, `2 shares`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share_path(share_id: str) -> str:
    """The address of a share's page."""
    return f"/shares/{quote(share_id, safe='')}"
