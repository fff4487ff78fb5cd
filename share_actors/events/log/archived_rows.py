"""What the log keeps of events that were archived and removed: their leaves, so that every proof still holds.

A table beside the events, which is created by the first removal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from eventsourcing.persistence import InfrastructureFactory

TABLE = "archived_events"
COLUMNS = "position, stream, version, topic, digest, archive"
_NAMES = COLUMNS.split(", ")
DEFINITION = (
    "(position BIGINT PRIMARY KEY, stream TEXT NOT NULL, version BIGINT NOT NULL, topic TEXT NOT NULL,"
    " digest TEXT NOT NULL, archive BIGINT NOT NULL)"
)
_SELECT = (
    f"SELECT {COLUMNS} FROM {{table}} WHERE position > {{mark}} ORDER BY position LIMIT {{mark}}"
)


class ArchivedRow(NamedTuple):
    """A removed event: *digest* is the SHA-256 of its stored bytes, in hexadecimal.

    *archive* is the position of the `log.archived` event that says in which file it is.
    """

    position: int
    stream: str
    version: int
    topic: str
    digest: str
    archive: int


ReadArchived = Callable[[int, int], Sequence[ArchivedRow]]
"""At most so many removed events after a position, in order."""


class _Positioned(Protocol):
    @property
    def position(self) -> int: ...


T = TypeVar("T", bound=_Positioned)


def nothing_archived(_after: int, _limit: int) -> Sequence[ArchivedRow]:
    """The removed events of a log from which none was."""
    return ()


def merged(rows: Sequence[T], archived: Sequence[ArchivedRow], limit: int) -> list[T | ArchivedRow]:
    """The first *limit* of both by position; a row that is still there stands for a removed one too."""
    if not archived:
        return list(rows)
    by_position: dict[int, T | ArchivedRow] = {row.position: row for row in archived}
    by_position.update((row.position, row) for row in rows)
    return [by_position[position] for position in sorted(by_position)[:limit]]


# -- one query for each database -------------------------------------------------------------------
def sqlite_reader(execute: Callable[[str, tuple[Any, ...]], Any]) -> ReadArchived:
    """Reads the table by *execute*, which returns a cursor with tuples or mappings."""

    def read(after: int, limit: int) -> Sequence[ArchivedRow]:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if execute(query, (TABLE,)).fetchone() is None:
            return ()
        return _rows(execute(_SELECT.format(table=TABLE, mark="?"), (after, limit)).fetchall())

    return read


def postgres_reader(execute: Callable[[str, tuple[Any, ...]], Any], schema: str) -> ReadArchived:
    """Reads the table in *schema* by *execute*; see `sqlite_reader`."""
    table = f'"{schema}".{TABLE}'

    def read(after: int, limit: int) -> Sequence[ArchivedRow]:
        found = execute("SELECT to_regclass(%s) AS found", (table,)).fetchone()
        if next(iter(found.values() if isinstance(found, Mapping) else found)) is None:
            return ()
        return _rows(execute(_SELECT.format(table=table, mark="%s"), (after, limit)).fetchall())

    return read


def _rows(found: Sequence[Any]) -> list[ArchivedRow]:
    return [
        ArchivedRow(*row if isinstance(row, tuple) else (row[c] for c in _NAMES)) for row in found
    ]


def stored_reader(factory: InfrastructureFactory[Any], schema: str | None = None) -> ReadArchived:
    """Reads the table in transactions of *factory*; *schema* is that of a PostgreSQL log."""

    def read(after: int, limit: int) -> Sequence[ArchivedRow]:
        with factory.datastore.transaction(commit=False) as cursor:  # type: ignore[attr-defined]

            def execute(query: str, parameters: tuple[Any, ...]) -> Any:
                cursor.execute(query, parameters)
                return cursor

            reader = sqlite_reader(execute) if schema is None else postgres_reader(execute, schema)
            return reader(after, limit)

    return read
