"""The catalog in an SQLite file of its own."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eventsourcing.persistence import OperationalError, Tracking
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
    SQLiteTrackingRecorder,
)

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog.store import NAME, Store
from share_actors.events.log.sqlite_recorder import DurableConnection

APPLICATION_ID = 0x53484341
"""Distinguishes our file from other programs' SQLite files: "SHCA"."""

COMPACT_S = 30.0
"""How long other connections may keep the file from being written anew."""


class SQLiteStore(Store, SQLiteTrackingRecorder):
    """A catalog in an SQLite file."""

    tracking_table = "tracking"

    def __init__(self, datastore: SQLiteDatastore, path: Path) -> None:
        SQLiteTrackingRecorder.__init__(self, datastore)
        self._path = path

    def explain(self, error: Exception) -> str:
        """Return the message for a storage error."""
        return _explain(self._path, error)

    def dialect(self, text: str) -> str:
        """Return the statement *text* for SQLite."""
        text = text.replace("{s}", "").replace("{c}", "").replace("{w}", "WITHOUT ROWID")
        return text.replace("{t}", self.tracking_table)

    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        """Open a cursor in a transaction of its own."""
        return self.datastore.transaction(commit=commit)

    def track(self, c: Any, position: int) -> None:
        """Store the position in the log."""
        self._insert_tracking(c, Tracking(NAME, position))

    def create_table(self) -> None:
        """Create the recorder's table and the catalog's."""
        SQLiteTrackingRecorder.create_table(self)

    def _create_table(self, c: Any) -> None:
        super()._create_table(c)
        self.create_layout(c)

    def compact(self) -> None:
        """Write the file anew and empty its write-ahead log: pages that are free have old rows."""
        deadline = time.monotonic() + COMPACT_S
        try:
            with closing(
                sqlite3.connect(_uri(self._path), uri=True, timeout=COMPACT_S, isolation_level=None)
            ) as connection:
                connection.execute("VACUUM")
                while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    if time.monotonic() > deadline:
                        raise LogError(
                            f"catalog_path {self._path}: another process reads it for more than"
                            f" {COMPACT_S:g} s, so that its write-ahead log still has old rows; nothing"
                            " is lost; repeat the request",
                            field="catalog_path",
                            value=str(self._path),
                        )
        except sqlite3.Error as error:
            raise LogError(_explain(self._path, error)) from None

    def close(self) -> None:
        """Close the connections."""
        self.datastore.close()


class _Pool(SQLiteConnectionPool):
    """Connections with synchronous=NORMAL: transactions lost in a power failure are replayed."""

    def _create_connection(self) -> SQLiteConnection:
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=self.lock_timeout or 0,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA cache_size=-16384")
            connection.execute("PRAGMA wal_autocheckpoint=8192")
        except sqlite3.Error as error:
            connection.close()
            raise OperationalError(error) from error
        connection.row_factory = sqlite3.Row
        return DurableConnection(connection, max_age=self.max_age)


def open_catalog(settings: LogSettings, path: Path) -> Store:
    """Open the catalog at *path*, or create it; raises `LogError` if another kind of file is there."""
    _prepare(path)
    datastore = SQLiteDatastore(_uri(path), originator_id_type="text")
    datastore.pool = _Pool(db_name=_uri(path), lock_timeout=settings.lock_timeout_s)
    store = SQLiteStore(datastore, path)
    try:
        store.create_tables()
    except LogError:
        store.close()
        raise
    return store


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


def _prepare(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(_uri(path), uri=True)) as connection:
            _claim(path, connection)
    except (OSError, sqlite3.Error) as error:
        raise LogError(_explain(path, error), field="catalog_path", value=str(path)) from None


def _claim(path: Path, connection: sqlite3.Connection) -> None:
    """Mark an empty file as a catalog; raise `LogError` if the file belongs to another application."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application_id == 0 and tables == 0:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    elif application_id != APPLICATION_ID:
        raise LogError(
            f"catalog_path {path}: is the database of another application; choose another file",
            field="catalog_path",
            value=str(path),
        )


def _explain(path: Path, error: Exception) -> str:
    message = getattr(error, "strerror", None) or str(error)
    return (
        f"catalog_path {path}: {message}; check that the file can be written; if it is damaged,"
        " delete it: the catalog is rebuilt from the log"
    )
