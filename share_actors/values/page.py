"""One page of a list, and how far into the log it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, Self, TypeVar

from share_actors.wire import sent_as_report

T = TypeVar("T")


@sent_as_report
class AsOf(NamedTuple):
    """The catalog had applied the log up to position *applied*, and the log ended at position *head*."""

    applied: int
    head: int


class Counts(dict[str, int]):
    """How many there are by status; `as_of` as that of a `Page`."""

    def __init__(self, counts: Mapping[str, int], as_of: AsOf | None = None) -> None:
        super().__init__(counts)
        self.as_of = as_of


class _Items(NamedTuple, Generic[T]):
    items: tuple[T, ...]
    next_marker: str | None


class Page(_Items[T]):
    """Some items of a list; `next_marker` requests the page that follows, None at the end.

    `as_of` is None for a list that has all that was recorded before it was requested. While the catalog
    catches up with the log, it says how far the list is. It is no part of the tuple.
    """

    as_of: AsOf | None

    def __new__(
        cls, items: tuple[T, ...], next_marker: str | None, as_of: AsOf | None = None
    ) -> Self:
        page: Self = tuple.__new__(cls, (items, next_marker))
        page.as_of = as_of
        return page
