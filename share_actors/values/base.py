"""The base classes of all values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


def utc_now() -> datetime:
    """Return the current time in UTC, as in every event and every due time."""
    return datetime.now(UTC)


# The setters of a model's slots, looked up once: each event that is replayed makes several copies.
_new = object.__new__
_set_fields = vars(BaseModel)["__dict__"].__set__
_set_fields_set = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private = vars(BaseModel)["__pydantic_private__"].__set__


class Frozen(BaseModel):
    """An immutable value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with *changes*, which are not validated.

        Equivalent to `model_copy(update=changes)` and eight times as fast; deciders build states with it.
        """
        copy = _new(type(self))
        _set_fields(copy, {**self.__dict__, **changes})
        _set_fields_set(copy, self.__pydantic_fields_set__)  # not used
        _set_extra(copy, None)
        _set_private(copy, None)
        return copy


class Value(Frozen):
    """A frozen value that also reads as one of Manila's mappings: `share["size"]`, `share.get("host")`."""

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field *key*, or *default* when there is no such field."""
        return getattr(self, key, default)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields

    def keys(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        return iter(type(self).model_fields)
