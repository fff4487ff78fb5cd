"""Extra specs of share types: Manila's words and operators, compared with a pool's capabilities. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from share_actors.values import ShareType, parse_bool, parse_number
from share_actors.values.checks.durations import DURATION, parse_duration
from share_actors.values.manila import (
    EXTRA_SPECS,
    OPERATORS,
    PROVISIONING,
    REPLICATION_TYPES,
    Operator,
)

_GLUED = re.compile(r"(<(?:in|or)>|s?(?:[=!<>]=|[<>])|=)\S")
_ANGLE = re.compile(r"<[\w-]+>")
MIN_SIZE, MAX_SIZE = "provisioning:min_share_size", "provisioning:max_share_size"
MAX_EXTEND_SIZE = "provisioning:max_share_extend_size"
GRACE_PERIOD = "deletion:grace_period"
MAX_GRACE = timedelta(days=3660)
"""The longest grace period of a deletion."""
MISSING = object()
"""What `lookup` returns for a capability that is not reported."""


# -- validation ----------------------------------------------------------------------------------
def check_specs(specs: Mapping[str, str]) -> None:
    """Raise ValueError, naming the key and the value, for a spec that nothing could meet or heed."""
    for key, value in specs.items():
        _check_spec(key, value)
    check_limits(specs)


def check_limits(specs: Mapping[str, str]) -> None:
    """Raise ValueError if no size is between the limits."""
    low, high = (parse_number(specs.get(key, "")) for key in (MIN_SIZE, MAX_SIZE))
    if low is not None and high is not None and low > high:
        raise ValueError(
            f"{MIN_SIZE}: {specs[MIN_SIZE]!r} is more than {MAX_SIZE}, {specs[MAX_SIZE]!r}"
        )


def _check_spec(key: str, value: str) -> None:
    spec = EXTRA_SPECS.get(key)
    if spec is None and key.startswith(PROVISIONING):
        known = ", ".join(name for name in EXTRA_SPECS if name.startswith(PROVISIONING))
        raise ValueError(f"{key}: {value!r}: there is no such limit; there are: {known}")
    if spec is None:
        check_requirement(key, value)
    elif spec.values == "boolean" and parse_bool(value) is None:
        raise ValueError(f"{key}: {value!r} is not true or false")
    elif spec.values == "size" and not re.fullmatch(r"0*[1-9]\d*", value.strip(), re.ASCII):
        raise ValueError(f"{key}: {value!r} is not a whole number of GiB, 1 or more")
    elif spec.values == "zones" and not all(zone.strip() for zone in value.split(",")):
        raise ValueError(f"{key}: {value!r} is not a list of zones separated by commas")
    elif spec.values == "replication" and value not in REPLICATION_TYPES:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(REPLICATION_TYPES)}")
    elif spec.values == "duration":
        _check_grace(key, value)


def _check_grace(key: str, value: str) -> None:
    grace = parse_duration(value)
    if grace is None or not timedelta(0) < grace <= MAX_GRACE:
        raise ValueError(f"{key}: {value!r} is not {DURATION}, at most {MAX_GRACE.days}d")


def check_requirement(key: str, required: str) -> None:
    """Raise ValueError unless *required* is a valid requirement on the capability *key*."""
    if capability_path(key) is None:
        return
    name, operand = _parse(required)
    kind = None if name is None else OPERATORS[name].operand
    if name is None:
        _check_plain(key, required.strip())
    elif kind == "number" and parse_number(operand) is None:
        raise ValueError(f"{key}: {operand!r} after {name!r} is not a number")
    elif kind == "boolean" and parse_bool(operand) is None:
        raise ValueError(f"{key}: {operand!r} after {name!r} is not true or false")
    elif not operand:
        raise ValueError(f"{key}: nothing follows {name!r}")


def _check_plain(key: str, required: str) -> None:
    """Raise ValueError for a value that begins almost as an operator does."""
    first, _, rest = required.partition(" ")
    if _ANGLE.fullmatch(first):
        if rest:
            known = ", ".join(OPERATORS)
            raise ValueError(f"{key}: {first!r} is not an operator; there are: {known}")
    elif glued := _GLUED.match(required):
        name = glued[1]
        example = f"{name} {required[len(name) :]}"
        raise ValueError(f"{key}: {required!r}: a blank must follow {name!r}, as in {example!r}")


# -- capabilities --------------------------------------------------------------------------------
def capability_path(key: str) -> tuple[str, ...] | None:
    """Return where the capability of the extra spec *key* is; None for another scope, such as `qos:`.

    `capabilities:disks:count` is `count` in the capability `disks`.
    """
    first, *rest = key.split(":")
    if not rest:
        return (key,)
    return tuple(rest) if first == "capabilities" else None


def lookup(capabilities: Any, path: tuple[str, ...]) -> Any:
    """Return the capability at *path*, or `MISSING`; None counts as not reported.

    A name in other letters than the reported one is found as well, unless both are reported.
    """
    for name in path:
        if not isinstance(capabilities, Mapping):
            return MISSING
        names = (k for k in capabilities if str(k).lower() == name.lower())
        capabilities = capabilities.get(name if name in capabilities else next(names, name))
    return MISSING if capabilities is None else capabilities


def satisfies(value: Any, required: str) -> bool:
    """Return whether a capability's *value* meets the requirement, by Manila's `extra_specs_ops`.

    Upper and lower case are the same. A list meets it when one of its items does.
    """
    if isinstance(value, list | tuple):
        return any(satisfies(item, required) for item in value)
    name, operand = _parse(required)
    if value is None:
        return False
    if name is None:
        return _equals(value, operand)
    found = OPERATORS[name]
    if found.operand == "choices":
        choices = (choice.strip() for choice in operand.split(name))
        return any(choice and _equals(value, choice) for choice in choices)
    a, b = _operands(found, value, operand)
    return a is not None and b is not None and found.holds(a, b)


def _operands(found: Operator, value: Any, operand: str) -> tuple[Any, Any]:
    """The capability and the operand as the operator compares them; None for one that it cannot."""
    text = str(value).lower()
    if found.operand == "number":
        return math.inf if text == "infinite" else parse_number(value), parse_number(operand)
    if found.operand == "boolean":
        return parse_bool(text), parse_bool(operand)
    return text, operand


def _equals(value: Any, required: str) -> bool:
    if isinstance(value, bool):
        return parse_bool(required) is value
    a, b = parse_number(value), parse_number(required)
    return a == b if a is not None and b is not None else str(value).lower() == required


def _parse(required: str) -> tuple[str | None, str]:
    """The operator, None if there is none, and what follows it, in lower case."""
    text = required.strip().lower()
    name, _, operand = text.partition(" ")
    if name in OPERATORS:
        return name, operand.strip()
    if text.startswith("<is>"):
        return "<is>", text.removeprefix("<is>").strip()
    return None, text


# -- what a share type says of its shares ----------------------------------------------------------
def wants_thin(share_type: ShareType | None) -> bool:
    """Return whether shares of this type may be provisioned thinly where the pool allows it.

    Only an extra spec `thin_provisioning` that is false says no.
    """
    specs = {} if share_type is None else share_type.extra_specs
    required = specs.get("thin_provisioning", specs.get("capabilities:thin_provisioning"))
    return required is None or satisfies(True, required)


def zones_of(share_type: ShareType | None) -> tuple[str, ...]:
    """Return the zones that shares of this type may be in; none: any."""
    text = "" if share_type is None else share_type.extra_specs.get("availability_zones", "")
    return tuple(zone.strip() for zone in text.split(",") if zone.strip())


def grace_period(specs: Mapping[str, str]) -> timedelta | None:
    """Return for how long shares with these extra specs are kept after their deletion; None: they are not."""
    return parse_duration(specs.get(GRACE_PERIOD, ""))


Operation = Literal["create", "extend", "admin extend", "shrink"]


def size_refusal(share_type: ShareType | None, size: int, operation: Operation) -> str | None:
    """Return why a share of this type must not have *size* GiB after the operation; None if it may.

    As Manila's `provision_filter_on_size`: for admins of the system an extension has its own limit.
    """
    if share_type is None:
        return None
    lowest = _size(share_type, MIN_SIZE) if operation in ("create", "shrink") else None
    highest = _size(share_type, MAX_SIZE) if operation in ("create", "extend") else None
    if operation == "admin extend":
        highest = _size(share_type, MAX_EXTEND_SIZE)
    if lowest is not None and size < lowest:
        return f"{size} GiB are less than share type {share_type.id} allows: {lowest} GiB"
    if highest is not None and size > highest:
        return f"{size} GiB are more than share type {share_type.id} allows: {highest} GiB"
    return None


def _size(share_type: ShareType, key: str) -> int | None:
    """The limit *key*; None without one, and for what earlier versions accepted as one."""
    text = share_type.extra_specs.get(key)
    number = None if text is None else parse_number(text)
    return None if number is None else int(number)
