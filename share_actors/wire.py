"""Named tuples that processes of different versions send each other: fields may be added at their end.

A sender leaves out what has its default at the end, and a receiver fills it in. A field that only a newer
version knows is ignored in what is reported, and refused in what is ordered: an order must not be carried
out in part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from share_actors.errors import Unavailable
from share_actors.versions import VERSION

T = TypeVar("T", bound=type[Any])


def sent_as_report(kind: T) -> T:
    """Have values of the named tuple *kind* understood by other versions, without what is new to them."""
    return _sent(kind, lambda fields, size: fields[:size])


def sent_as_order(kind: T) -> T:
    """Have values of the named tuple *kind* understood by other versions, or refused: `Unavailable`."""

    def known(fields: tuple[Any, ...], size: int) -> tuple[Any, ...]:
        if len(fields) > size:
            raise Unavailable(
                f"this process runs share_actors {VERSION}, which does not know a part of the request"
                f" ({kind.__name__}) that a newer version sent: upgrade it before using what is new"
            )
        return fields

    return _sent(kind, known)


def _sent(kind: T, known: Callable[[tuple[Any, ...], int], tuple[Any, ...]]) -> T:
    """*kind*, which is made of those fields that *known* returns, and sends none of the last defaults.

    What is sent is the class and its fields, as of any named tuple, so that earlier versions read it.
    """
    changed: Any = kind
    new, size = changed.__new__, len(changed._fields)

    def made(cls: Any, *fields: Any, **named: Any) -> Any:
        return new(cls, *(fields if len(fields) <= size else known(fields, size)), **named)

    changed.__new__, changed.__getnewargs__ = made, _without_defaults
    return kind


def _without_defaults(value: Any) -> tuple[Any, ...]:
    """The fields of *value* up to the last one without its default."""
    fields, defaults, size = value._fields, value._field_defaults, len(value)
    while size and fields[size - 1] in defaults and value[size - 1] is defaults[fields[size - 1]]:
        size -= 1
    return tuple(value)[:size]
