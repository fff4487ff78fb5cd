"""What every value is built on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


def utc_now() -> datetime:
    """This moment, as every event and every due time is written."""
    return datetime.now(UTC)


class Frozen(BaseModel):
    """An immutable value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def replace(self, **changes: Any) -> Self:
        """The same value with *changes*; not validated again, so for code that knows its types.

        Does what `model_copy(update=changes)` does, eight times as fast: states are made this way.
        """
        copy = type(self).__new__(type(self))
        put = object.__setattr__
        put(copy, "__dict__", {**self.__dict__, **changes})
        put(copy, "__pydantic_fields_set__", self.__pydantic_fields_set__)  # nothing asks for it
        put(copy, "__pydantic_extra__", None)
        put(copy, "__pydantic_private__", None)
        return copy


class Value(Frozen):
    """A frozen value that also reads as one of Manila's mappings: `share["size"]`, `share.get("host")`."""

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key, default)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields

    def keys(self) -> Iterator[str]:
        return iter(type(self).model_fields)
