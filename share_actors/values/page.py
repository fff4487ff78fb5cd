"""One page of a list."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items of a list; `next_marker` requests the page that follows, None at the end."""

    items: tuple[T, ...]
    next_marker: str | None
