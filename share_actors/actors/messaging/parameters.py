"""Parameters of the client's methods and of the manager's verbs, checked before anything is sent.

Each function returns the value to use, or raises `InvalidRequest` with the field and the value. What the
commands check themselves (sizes, names, metadata) is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from share_actors.errors import InvalidRequest, NotFound, showable, shown
from share_actors.values.checks import ids, text
from share_actors.values.checks.limits import COMMAND_ID, MAX_SECONDS, NAME, Limit

T = TypeVar("T")


def refuse(field: str, value: object, problem: str) -> NoReturn:
    """Raise `InvalidRequest`: *value* of *field* has this *problem*."""
    raise InvalidRequest(f"{field}: {problem}: {shown(value)}", field=field, value=showable(value))


def flag(field: str, value: object) -> bool:
    """True or False: no other value means one of them (`"no"` would count as true in Python)."""
    if isinstance(value, bool):
        return value
    refuse(field, value, "is not True or False")


def seconds(field: str, value: object) -> float:
    """A time of 0 or more seconds; more than a year, such as infinity, is a year."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:  # also NaN
        refuse(field, value, "is not 0 or more seconds")
    return float(min(value, MAX_SECONDS))


def whole_seconds(field: str, value: object) -> int:
    """A duration of whole seconds, one or more."""
    if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value.microseconds:
        refuse(field, value, "is not a timedelta of whole seconds, 1 or more")
    return int(value.total_seconds())


def number(field: str, value: object) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(field, value, "is not a whole number")
    return value


def word(field: str, value: object) -> str:
    """A text that can be looked up."""
    if not isinstance(value, str):
        refuse(field, value, "is not a text")
    return value


def command_id(value: object) -> str | None:
    """The id that a caller chose for a command; None: it gets one."""
    return None if value is None else _limited("command_id", value, COMMAND_ID)


def own_id(field: str, value: object) -> str | None:
    """The id that a caller chose for a batch, or an item of it; None: it has none."""
    return None if value is None else _limited(field, value, COMMAND_ID)


def owner(field: str, value: object) -> str:
    """The id of a project or a user, or the name of a share type, that need not exist."""
    return _limited(field, value, NAME)


def _limited(field: str, value: object, limit: Limit) -> str:
    try:
        return text.check(word(field, value), limit)
    except ValueError as error:
        refuse(field, value, str(error))


def new_id(field: str, value: object) -> str:
    """The id that a caller chose for something new: a UUID, so that it is neither a name nor an address."""
    try:
        return ids.check_uuid(word(field, value))
    except ValueError as error:
        refuse(field, value, str(error))


def known_id(kind: str, value: object, field: str = "id") -> str:
    """The id of something that may exist; raises `NotFound` for a text that is the id of nothing."""
    if not ids.is_id(word(field, value)):
        raise not_found(kind, value, field)
    return str(value)


def not_found(kind: str, value: object, field: str = "id") -> NotFound:
    """The error for an id of nothing."""
    return NotFound(f"there is no {kind} {shown(value)}", field=field, value=value)


def mapping(field: str, value: object) -> dict[str, Any]:
    """A mapping with texts as keys; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        refuse(field, value, "is not a mapping")
    for key in value:
        word(field, key)
    return dict(value)


def sequence(field: str, value: object) -> tuple[str, ...]:
    """Texts, one after another; a single text is not meant as its characters."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        refuse(field, value, "is not a sequence of texts")
    return tuple(word(field, item) for item in value)


def instance(field: str, value: object, kind: type[T]) -> T:
    """A value of the type *kind*."""
    if isinstance(value, kind):
        return value
    refuse(field, value, f"is not a {kind.__name__}")


def items(field: str, value: object) -> Iterable[Any]:
    """Values to iterate over."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return value
    refuse(field, value, "is not a list")
