"""Tables as commands declare them: the columns, their names, and how much each matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, Literal

from share_actors.errors import InvalidRequest, showable, shown

Kind = Literal["id", "path", "time", "size", "word", "text"]
"""What a cell holds. Only `text` is wrapped, between words; a `time` is shown as an age."""
Times = Literal["relative", "absolute"]
WIDE = 9
"""The priority of a column that only `-o wide`, CSV and `--columns` show."""


@dataclass(frozen=True)
class Column:
    """A column: its title in tables, and *field*, its name in CSV and in the row's JSON document."""

    title: str
    field: str
    kind: Kind = "word"
    priority: int = 1
    """On a terminal that is too narrow, columns of greater numbers are left out first; 0 is the last."""
    value: Callable[[Any], object] | None = None
    """The value of a row, for CSV and sorting; default: its attribute or key *field*."""
    shown: Callable[[Any], object] | None = None
    """What people see instead of the value."""

    def of(self, item: Any) -> object:
        """The value of this column for *item*, a row of the table."""
        if self.value is not None:
            return self.value(item)
        return item.get(self.field) if isinstance(item, Mapping) else getattr(item, self.field)

    def for_people(self, item: Any) -> object:
        """What a table shows of this column for *item*; a text in a column of times is one in ISO 8601."""
        value = self.of(item) if self.shown is None else self.shown(item)
        if self.kind == "time" and isinstance(value, str):
            return datetime.fromisoformat(value)
        return value

    @property
    def names(self) -> tuple[str, str]:
        """The names by which `--columns` and `--sort` find it."""
        return (_plain(self.field), _plain(self.title))


@dataclass(frozen=True)
class Table:
    """What a command lists: *noun* is one of its rows, such as `share`."""

    noun: str
    columns: tuple[Column, ...]
    identity: str | None = "id"
    """The field that `-o name` and `--quiet` print; None if a row has no name."""
    times: Times = "relative"
    """How times are shown unless `--times` says otherwise."""
    group: str = ""
    """The group of its commands, if that is not the noun: `network` of a share network."""

    @property
    def prefix(self) -> str:
        """What `-o name` prints before the slash: `share` of `share/ID`."""
        return self.group or self.noun

    def chosen(self, names: Sequence[str]) -> Table:
        """This table with only the columns *names*, in their order; raises `InvalidRequest`."""
        columns = (replace(self.column("columns", name), priority=0) for name in names)
        return replace(self, columns=tuple(columns))

    def of_documents(self) -> Table:
        """The same columns for rows that are JSON documents, which may lack some of the fields."""
        columns = (replace(column, value=None, shown=None) for column in self.columns)
        return replace(self, columns=tuple(columns))

    def column(self, option: str, name: str) -> Column:
        """The column *name*, by field or title; raises `InvalidRequest`, which names those there are."""
        for column in self.columns:
            if _plain(name) in column.names:
                return column
        text = f"--{option}: {shown(name)} is not a column; there are {self.names}"
        raise InvalidRequest(text, field=option, value=showable(name))

    @property
    def names(self) -> str:
        """The fields of all columns: `id, name, size`."""
        return ", ".join(column.field for column in self.columns)

    def names_of(self, items: Iterable[Any]) -> Iterator[str]:
        """What `--quiet` prints of *items*: the id of each that has one."""
        by_field = {column.field: column for column in self.columns}
        assert self.identity is not None
        known = by_field.get(self.identity) or Column("", self.identity)
        for item in items:
            if (name := known.of(item)) not in (None, ""):
                yield str(name)


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


@cache
def untitled(titles: tuple[str, ...]) -> Table:
    """A table whose rows are tuples: the first columns matter most."""
    columns = (
        Column(title, _plain(title), _kind(title), min(number, WIDE - 1), itemgetter(number))
        for number, title in enumerate(titles)
    )
    return Table("row", tuple(columns), identity=None)


def _kind(title: str) -> Kind:
    return "id" if title in ("ID", "RULE", "SNAPSHOT", "SHARE") else "text"


# -- sorting -------------------------------------------------------------------------------------
def sorted_by(table: Table, items: Iterable[Any], order: str | None) -> list[Any]:
    """*items* in *order*: `COLUMN`, `COLUMN:asc` or `COLUMN:desc`; rows without a value come last."""
    found = list(items)
    if order is None:
        return found
    column, descending = sort_column(table, order)
    valued = [(column.of(item), item) for item in found]
    given = [pair for pair in valued if pair[0] not in (None, "")]
    given.sort(key=lambda pair: _key(pair[0]), reverse=descending)
    return [item for _, item in given] + [item for value, item in valued if value in (None, "")]


def sort_column(table: Table, order: str) -> tuple[Column, bool]:
    """The column of *order*, and whether it is descending; raises `InvalidRequest`."""
    name, colon, direction = order.partition(":")
    if colon and direction not in ("asc", "desc"):
        text = f"--sort: {shown(direction)} is not asc or desc; give COLUMN, or COLUMN:desc"
        raise InvalidRequest(text, field="sort", value=showable(order))
    return table.column("sort", name), direction == "desc"


def _key(value: object) -> tuple[int, Any]:
    """Numbers before texts, texts without regard to case, so that any two values can be compared."""
    if isinstance(value, bool | int | float):
        return (0, value)
    return (1, str(value).casefold())
