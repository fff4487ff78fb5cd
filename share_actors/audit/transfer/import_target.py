"""The tables of an empty log, into which rows are written with the positions that they had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.archived_rows import COLUMNS, DEFINITION, TABLE, ArchivedRow
from share_actors.events.log.log import Notification
from share_actors.events.log.partitions import partition_of
from share_actors.events.log.postgres.store import login
from share_actors.events.log.sqlite import file as sqlite_file

_GAP = (
    "SELECT originator_id FROM {table} GROUP BY originator_id"
    " HAVING min(originator_version) <> 1 OR max(originator_version) <> count(*) LIMIT 1"
)
_FILLED = "another process has written to the log meanwhile; nothing was imported"


class Target(Protocol):
    """An open transaction on the tables of an empty log."""

    def insert(self, row: Notification) -> None:
        """Write a row; raises `LogError`, as every method."""

    def insert_archived(self, row: ArchivedRow) -> None:
        """Write the leaf of an event that was archived."""

    def stream_with_gap(self) -> str | None:
        """A stream whose versions are not 1, 2, 3, ...; None if there is none."""

    def commit(self) -> None:
        """Make it durable."""


@contextmanager
def open_target(settings: LogSettings, path: Path) -> Iterator[Target]:
    """Begin to fill the empty log of *settings*; without `commit` nothing is written."""
    if settings.kind == "sqlite":
        with _sqlite(path) as target:
            yield target
    else:
        with _postgres(settings) as target:
            yield target


# -- SQLite --------------------------------------------------------------------------------------
class _SQLiteTarget:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, row: Notification) -> None:
        """See `Target.insert`."""
        statement = (
            "INSERT INTO stored_events"
            " (rowid, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"
        )
        self._connection.execute(statement, row)

    def insert_archived(self, row: ArchivedRow) -> None:
        """See `Target.insert_archived`."""
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} {DEFINITION}")
        self._connection.execute(f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)

    def stream_with_gap(self) -> str | None:
        """See `Target.stream_with_gap`."""
        row = self._connection.execute(_GAP.format(table="stored_events")).fetchone()
        return None if row is None else str(row[0])

    def commit(self) -> None:
        """See `Target.commit`."""
        self._connection.execute("COMMIT")


@contextmanager
def _sqlite(path: Path) -> Iterator[Target]:
    try:
        connection = sqlite3.connect(sqlite_file.uri(path), uri=True, isolation_level=None)
        with closing(connection):
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT 1 FROM stored_events LIMIT 1").fetchone():
                raise LogError(f"{path}: {_FILLED}")
            yield _SQLiteTarget(connection)
    except sqlite3.Error as error:
        raise _not_written(str(path), error) from None


# -- PostgreSQL ----------------------------------------------------------------------------------
class _PostgresTarget:
    def __init__(self, connection: Any, schema: str) -> None:
        from psycopg.sql import SQL, Identifier  # noqa: PLC0415 - an optional package

        from share_actors.events.log.postgres import partition_tables  # noqa: PLC0415 - the same

        self._connection, self._name = connection, f"{schema}.stored_events"
        self._table, self._sql = Identifier(schema, "stored_events"), SQL
        self._archived = Identifier(schema, TABLE)
        number = partition_tables.recorded(connection.execute, schema)
        names = map(partition_tables.table_of, range(number)) if number > 1 else ("stored_events",)
        self._partitions = [Identifier(schema, name) for name in names]

    def insert(self, row: Notification) -> None:
        """See `Target.insert`."""
        statement = self._sql(
            "INSERT INTO {table} (notification_id, originator_id, originator_version, topic, state)"
            " VALUES (%s, %s, %s, %s, %s)"
        )
        table = self._partitions[partition_of(row.stream, len(self._partitions))]
        self._connection.execute(statement.format(table=table), row)

    def insert_archived(self, row: ArchivedRow) -> None:
        """See `Target.insert_archived`."""
        create = self._sql(f"CREATE TABLE IF NOT EXISTS {{table}} {DEFINITION}")
        insert = self._sql(f"INSERT INTO {{table}} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)")
        self._connection.execute(create.format(table=self._archived))
        self._connection.execute(insert.format(table=self._archived), row)

    def stream_with_gap(self) -> str | None:
        """See `Target.stream_with_gap`."""
        row = self._connection.execute(self._sql(_GAP).format(table=self._table)).fetchone()
        return None if row is None else str(row[0])

    def commit(self) -> None:
        """See `Target.commit`; the next event gets the position after the last one."""
        statement = self._sql(
            "SELECT setval(pg_get_serial_sequence(%s, 'notification_id'), max(notification_id))"
            " FROM {table} HAVING count(*) > 0"
        )
        self._connection.execute(statement.format(table=self._table), (self._name,))
        self._connection.commit()


@contextmanager
def _postgres(settings: LogSettings) -> Iterator[Target]:
    import psycopg  # noqa: PLC0415 - an optional package
    from psycopg.sql import SQL, Identifier  # noqa: PLC0415 - an optional package

    table = Identifier(settings.schema_name, "stored_events")
    try:
        with closing(psycopg.connect(**login(settings))) as connection:
            connection.execute(SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(table))
            if connection.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone():
                raise LogError(f"{settings.schema_name}: {_FILLED}")
            yield _PostgresTarget(connection, settings.schema_name)
    except psycopg.Error as error:
        raise _not_written(f"{settings.host}/{settings.database}", error) from None


def _not_written(where: str, error: Exception) -> LogError:
    return LogError(f"{where}: cannot be written: {error}; nothing was imported")
