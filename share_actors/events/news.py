"""What is news in a backend's reports: not order, temporary names, or small changes of numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any

from share_actors.values import Capabilities, gib, parse_number

SMALL_CHANGE = 0.1
"""A number that changes by no more than this part of itself, or of its pool's capacity, is no news."""
_PASSING = ("free_capacity_gib", "allocated_capacity_gib")
"""What changes with every share: compared as a part of the pool's total capacity."""
_IGNORED = ("provisioned_capacity_gib", "goodness")
_EXACT = ("driver_version",)
"""Text that looks like a number and is not one."""
_CHANGING = re.compile(r"(?<!\w)(?:tmp[\w.-]+|[\w.:-]*\d[\w.:-]*)")
_WORD = re.compile(r"[^\s,;:'\"(){}\[\]<>]+")
_TEMPORARY = re.compile(
    r"(?<!\w)(?:tmp[\w.-]{4,}|0x[0-9a-f]+|\d+(?::\d\d)+(?:\.\d+)?|\d{4}-\d\d-\d\d\w*|\d{7,}"
    r"|(?=\w*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)",
    re.IGNORECASE,
)


def cause(text: str) -> str:
    """Return what is lasting in an error's *text*: its words without numbers and temporary names, in order.

    Texts with the same cause say the same: `timed out after 3 s` and `timed out after 4 s`.
    """
    return " ".join(sorted(_WORD.findall(_CHANGING.sub("#", text))))


def causes(texts: Iterable[str]) -> frozenset[str]:
    """Return the causes of *texts*: what they say, whatever their order, numbers and temporary names."""
    return frozenset(map(cause, texts))


def differ(before: Capabilities, now: Capabilities) -> bool:
    """Return whether *now* has something new to say after *before*."""
    old, new = ({pool.name: pool for pool in said.pools} for said in (before, now))
    if old.keys() != new.keys() or _differ(_fields(before), _fields(now)):
        return True
    return any(_pools_differ(pool, new[name]) for name, pool in old.items())


def _pools_differ(before: Any, now: Any) -> bool:
    if _differ(_fields(before), _fields(now)):
        return True
    total = gib(now.total_capacity_gib)
    return any(_differ(before[field], now[field], scale=total) for field in _PASSING)


def _fields(said: Any) -> dict[str, Any]:
    return {k: v for k, v in said.__dict__.items() if k not in ("pools", *_PASSING, *_IGNORED)}


def _differ(before: Any, now: Any, scale: float = 0.0) -> bool:
    """Whether two values differ by more than order, temporary names and small changes."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return before.keys() != now.keys() or any(
            v != now[k] if k in _EXACT else _differ(v, now[k]) for k, v in before.items()
        )
    if isinstance(before, list | tuple | Set) and isinstance(now, list | tuple | Set):
        old, new = (sorted(values, key=_text) for values in (before, now))
        return len(old) != len(new) or any(map(_differ, old, new))
    a, b = parse_number(before), parse_number(now)
    if a is not None and b is not None:
        finite = scale if scale != float("inf") else 0.0
        return abs(a - b) > SMALL_CHANGE * (finite or max(abs(a), abs(b)))
    return bool(before != now) and _text(before) != _text(now)


def _text(value: Any) -> str:
    """*value* as text without what is temporary in it."""
    return _TEMPORARY.sub("#", str(value))
