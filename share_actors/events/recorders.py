"""The library's SQLite recorder, made durable (FULL sync, immediate writers) and quick (rows in bulk)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from eventsourcing.persistence import OperationalError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteTransaction,
)

_CHUNKS = (256, 64, 16, 4, 1)
"""Rows a statement: few different texts, so that all of them stay in the connection's cache."""


class ChunkedRecorder(SQLiteApplicationRecorder):
    """Inserts many rows with one statement.

    `sqlite3` lets go of the interpreter's lock for every statement, and a busy event loop gives it
    back milliseconds later: a statement a row makes a batch wait once a row.
    """

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int]:
        start = 0
        for size in _CHUNKS:
            while len(stored_events) - start >= size:
                self._insert_rows(c, stored_events[start : start + size])
                start += size
        # Row ids of one transaction follow each other: nobody else writes, and nothing is deleted.
        last = c.lastrowid if stored_events else 0
        return range(last - len(stored_events) + 1, last + 1)

    def _insert_rows(self, c: SQLiteCursor, rows: Sequence[StoredEvent]) -> None:
        statement = f"INSERT INTO {self.events_table_name} VALUES " + ",".join(
            ["(?,?,?,?)"] * len(rows)
        )
        params: list[Any] = []
        for row in rows:
            params += (row.originator_id, row.originator_version, row.topic, row.state)
        c.execute(statement, params)


class DurableTransaction(SQLiteTransaction):
    """A writer takes the write lock at once, so that it waits for its turn instead of failing later."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        except sqlite3.Error as error:
            raise OperationalError(error) from error
        return cursor

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(exc_type, exc_val, exc_tb)
        except BaseException:
            self._leave_clean()
            raise

    def _leave_clean(self) -> None:
        """A commit that failed leaves its transaction open: it must not reach the next user."""
        try:
            self.connection.rollback()
        except sqlite3.Error:
            self.connection.close()


class DurableConnection(SQLiteConnection):
    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        with DurableTransaction(self, commit=commit) as cursor, cursor:
            yield cursor


class DurablePool(SQLiteConnectionPool):
    """Connections that have been seen to be in WAL mode with `synchronous=FULL`."""

    def _create_connection(self) -> SQLiteConnection:
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,  # the pool lends a connection to one thread at a time
            isolation_level=None,
            timeout=self.lock_timeout or 0,
        )
        try:
            _make_durable(connection)
        except sqlite3.Error as error:
            connection.close()
            raise OperationalError(error) from error
        except OperationalError:
            connection.close()
            raise
        connection.row_factory = sqlite3.Row
        return DurableConnection(connection, max_age=self.max_age)


def _make_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise OperationalError(f"journal mode is {mode}, synchronous is {level}: not wal and FULL")
