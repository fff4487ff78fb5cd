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

_CACHE_KIB = 16 * 1024
_CHECKPOINT_PAGES = 8192
"""32 MiB: the pages of the streams' index are written over and over, and each checkpoint syncs the file."""
_SIZES = (4, 16, 64, 256)
"""Rows a statement: few different texts, so that all of them stay in the connection's cache."""


class ChunkedRecorder(SQLiteApplicationRecorder):
    """Inserts many rows with one statement, and has no transaction around it where one is enough.

    `sqlite3` lets go of the interpreter's lock for every statement, and a busy event loop gives it
    back a millisecond later: a statement a row makes a batch wait once a row.
    """

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        if len(stored_events) > _SIZES[-1]:
            return super().insert_events(stored_events, **kwargs)
        with self.datastore.get_connection(commit=True) as connection:
            assert isinstance(connection, DurableConnection)
            with connection.statement() as cursor:
                return self._insert_events(cursor, stored_events, **kwargs)

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any
    ) -> Sequence[int]:
        for start in range(0, len(stored_events), _SIZES[-1]):
            self._insert_rows(c, stored_events[start : start + _SIZES[-1]])
        # Row ids of one transaction follow each other: nobody else writes, and nothing is deleted.
        last = c.lastrowid if stored_events else 0
        return range(last - len(stored_events) + 1, last + 1)

    def _insert_rows(self, c: SQLiteCursor, rows: Sequence[StoredEvent]) -> None:
        size = next(size for size in _SIZES if size >= len(rows))
        values = ",".join(["(?,?,?,?)"] * size)
        params: list[Any] = []
        for row in rows:
            params += (row.originator_id, row.originator_version, row.topic, row.state)
        params += [None] * (4 * (size - len(rows)))
        table = self.events_table_name
        c.execute(
            f"INSERT INTO {table} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL", params
        )


class DurableTransaction(SQLiteTransaction):
    """A writer takes the write lock at once, so that it waits for its turn instead of failing later.

    With *alone* there will be one statement, which is a transaction of its own and does just that.
    """

    def __init__(self, connection: SQLiteConnection, *, commit: bool, alone: bool = False) -> None:
        super().__init__(connection, commit=commit)
        self._alone = alone

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        if self._alone:
            return cursor
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

    @contextmanager
    def statement(self) -> Iterator[SQLiteCursor]:
        """For one writing statement, which is durable when it returns."""
        with DurableTransaction(self, commit=True, alone=True) as cursor, cursor:
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
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise OperationalError(f"journal mode is {mode}, synchronous is {level}: not wal and FULL")
