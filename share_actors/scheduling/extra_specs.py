"""Extra specs of share types: Manila's operators, compared with a pool's capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from share_actors.values import parse_bool

_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a >= b,  # as in Manila: at least
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
_STRINGS: Mapping[str, Callable[[str, str], bool]] = {
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s>=": lambda a, b: a >= b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s<": lambda a, b: a < b,
}


def capability_name(key: str) -> str | None:
    """Return the capability that the extra spec *key* is about; None for another scope, such as `qos:`."""
    scope, colon, name = key.rpartition(":")
    return name if not colon or scope == "capabilities" else None


def check_requirement(key: str, required: str) -> None:
    """Raise ValueError unless *required* is a valid requirement on the capability *key*."""
    op, _, operand = required.strip().partition(" ")
    if op in _NUMBERS and _number(operand) is None:
        raise ValueError(f"{key}: {operand!r} after {op!r} is not a number")
    if op == "<is>" and parse_bool(operand) is None:
        raise ValueError(f"{key}: {operand!r} after '<is>' is not true or false")
    if op in ("<in>", "<or>", *_STRINGS) and not operand.strip():
        raise ValueError(f"{key}: nothing follows {op!r}")


def satisfies(value: Any, required: str) -> bool:
    """Return whether a capability's *value* meets the requirement, by Manila's `extra_specs_ops`.

    A list meets it when one of its items does.
    """
    if isinstance(value, list | tuple):
        return any(satisfies(item, required) for item in value)
    op, _, operand = required.strip().partition(" ")
    operand = operand.strip()
    if op in _NUMBERS:
        a, b = _number(value), _number(operand)
        return a is not None and b is not None and _NUMBERS[op](a, b)
    if op in _STRINGS:
        return _STRINGS[op](str(value), operand)
    if op == "<is>":
        return parse_bool(str(value)) is parse_bool(operand)
    if op == "<in>":
        return operand in str(value)
    if op == "<or>":
        choices = [choice.strip() for choice in required.split("<or>")]
        return str(value) in [choice for choice in choices if choice]
    return _equals(value, required.strip())


def _equals(value: Any, required: str) -> bool:
    if isinstance(value, bool):
        return parse_bool(required) is value
    a, b = _number(value), _number(required)
    return a == b if a is not None and b is not None else str(value) == required


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
