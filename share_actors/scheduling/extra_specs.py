"""Extra specs of share types: Manila's operators, compared with a pool's capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from share_actors.values import truth


def _plain(key: str) -> str | None:
    """The capability that an extra spec is about; None for another scope's, such as `qos:`."""
    scope, colon, name = key.rpartition(":")
    return name if not colon or scope == "capabilities" else None


_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a >= b,  # Manila's: at least
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


_WORDS: Mapping[str, Callable[[str, str], bool]] = {
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s>=": lambda a, b: a >= b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s<": lambda a, b: a < b,
}


def check_requirement(key: str, wanted: str) -> None:
    """Raise ValueError unless *wanted* can be asked of the capability *key*."""
    op, _, rest = wanted.strip().partition(" ")
    if op in _NUMBERS and _number(rest) is None:
        raise ValueError(f"{key}: {rest!r} after {op!r} is no number")
    if op == "<is>" and truth(rest) is None:
        raise ValueError(f"{key}: {rest!r} after '<is>' is not true or false")
    if op in ("<in>", "<or>", *_WORDS) and not rest.strip():
        raise ValueError(f"{key}: nothing follows {op!r}")


def satisfies(said: Any, wanted: str) -> bool:
    """Whether the capability *said* meets *wanted*, in the words of Manila's extra specs."""
    if isinstance(said, list | tuple):
        return any(satisfies(one, wanted) for one in said)
    op, _, rest = wanted.strip().partition(" ")
    rest = rest.strip()
    if op in _NUMBERS:
        a, b = _number(said), _number(rest)
        return a is not None and b is not None and _NUMBERS[op](a, b)
    if op in _WORDS:
        return _WORDS[op](str(said), rest)
    if op == "<is>":
        return truth(str(said)) is truth(rest)
    if op == "<in>":
        return rest in str(said)
    if op == "<or>":
        return str(said) in [one.strip() for one in wanted.split("<or>") if one.strip()]
    return _same(said, wanted.strip())


def _same(said: Any, wanted: str) -> bool:
    if isinstance(said, bool):
        return truth(wanted) is said
    a, b = _number(said), _number(wanted)
    return a == b if a is not None and b is not None else str(said) == wanted


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
