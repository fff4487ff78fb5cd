"""The catalog in an SQLite file of its own."""

from __future__ import annotations

import sqlite3
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
"""Tells our file from another program's SQLite file: "SHCA"."""


class SQLiteStore(Store, SQLiteTrackingRecorder):
    tracking_table = "tracking"

    def __init__(self, datastore: SQLiteDatastore, path: Path) -> None:
        SQLiteTrackingRecorder.__init__(self, datastore)
        self._path = path

    def explain(self, error: Exception) -> str:
        return _explained(self._path, error)

    def dialect(self, text: str) -> str:
        text = text.replace("{s}", "").replace("{c}", "").replace("{w}", "WITHOUT ROWID")
        return text.replace("{t}", self.tracking_table)

    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        return self.datastore.transaction(commit=commit)

    def track(self, c: Any, position: int) -> None:
        self._insert_tracking(c, Tracking(NAME, position))

    def create_table(self) -> None:
        SQLiteTrackingRecorder.create_table(self)

    def _create_table(self, c: Any) -> None:
        super()._create_table(c)
        self.lay_out(c)

    def close(self) -> None:
        self.datastore.close()


class _Pool(SQLiteConnectionPool):
    """Synchronous NORMAL: a power cut may cost the last transactions, whole, and the log has them still."""

    def _create_connection(self) -> SQLiteConnection:
        connection = sqlite3.connect(
            self.db_name, uri=True, check_same_thread=False, isolation_level=None,
            timeout=self.lock_timeout or 0,
        )  # fmt: skip
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
    """The catalog in the file at *path*, made if there is none; raises `LogError` if it is another file."""
    _prepare(path)
    datastore = SQLiteDatastore(_uri(path), originator_id_type="text")
    datastore.pool = _Pool(db_name=_uri(path), lock_timeout=settings.lock_timeout_s)
    store = SQLiteStore(datastore, path)
    try:
        store.make()
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
        raise LogError(_explained(path, error), field="catalog_path", value=str(path)) from None


def _claim(path: Path, connection: sqlite3.Connection) -> None:
    """See that the file is ours, or nobody's yet."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if found == 0 and tables == 0:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    elif found != APPLICATION_ID:
        raise LogError(
            f"catalog_path {path}: is the database of another application; name a file of its own",
            field="catalog_path", value=str(path),
        )  # fmt: skip


def _explained(path: Path, error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return (
        f"catalog_path {path}: {said}; a catalog holds nothing of its own: see that the file can be"
        " written, and if it is damaged, delete it, and it is made anew"
    )
