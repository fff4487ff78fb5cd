"""The catalog in an SQLite file of its own.

A catalog of another layout stays where it is while a new one is built in a file beside it (`.next`), which
then takes its place. If the process ends meanwhile, the next one goes on with that file.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, TypeVar
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
from share_actors.events.catalog.store import LAYOUT, NAME, Store
from share_actors.events.log.sqlite.recorder import DurableConnection

T = TypeVar("T")
logger = logging.getLogger(__name__)
APPLICATION_ID = 0x53484341
"""Distinguishes our file from other programs' SQLite files: "SHCA"."""

COMPACT_S = 30.0
"""How long other connections may keep the file from being written anew."""


class SQLiteStore(Store, SQLiteTrackingRecorder):
    """A catalog in an SQLite file; *place* is where it belongs once it is whole."""

    tracking_table = "tracking"

    def __init__(self, settings: LogSettings, path: Path, place: Path) -> None:
        SQLiteTrackingRecorder.__init__(self, _datastore(settings, path))
        self._settings, self._path, self._place = settings, path, place
        self._told = ""
        """Why the file cannot take its place, as it was logged last: each query tries again."""

    def explain(self, error: Exception) -> str:
        """Return the message for a storage error."""
        return _explain(self._path, error)

    def dialect(self, text: str) -> str:
        """Return the statement *text* for SQLite."""
        text = text.replace("{s}", "").replace("{c}", "").replace("{w}", "WITHOUT ROWID")
        text = text.replace("{n}", "INTEGER")
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

    def with_retries(self, job: Callable[[], T]) -> T:
        """Run *job*, on the file in its place if another process has moved it there."""
        if self._path != self._place and not self._path.exists():
            self._serve(self._place)
        return job()

    def _serve(self, path: Path) -> None:
        self.datastore.close()
        self._path, self.datastore = path, _datastore(self._settings, path)

    def exchange(self) -> None:
        """Move a file that was built beside another to its place; if it cannot, it serves where it is."""
        if self._path == self._place:
            return
        self.datastore.close()
        try:
            _replace(self._path, self._place)
        except (OSError, sqlite3.Error) as error:
            self._tell(str(error))
            self._serve(self._path)
        else:
            logger.info("catalog_path %s: now has the present layout", self._place)
            self._serve(self._place)

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            text = "catalog_path %s: %s cannot take its place yet: %s; it is used where it is"
            logger.warning(text, self._place, self._path, reason)
            self._told = reason

    def compact(self) -> None:
        """Write the file anew and empty its write-ahead log: pages that are free have old rows.

        So has a file of another layout, which has to be replaced first.
        """
        self.exchange()
        if self._path != self._place:
            raise LogError(
                f"catalog_path {self._place}: still has old rows, since {self._path} cannot take its place"
                " while another process has it open; nothing is lost; repeat the request",
                field="catalog_path",
                value=str(self._place),
            )
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
    built = path if _is_current(path) else path.with_name(f"{path.name}.next")
    if built != path:
        _prepare(built)
        logger.info("catalog_path %s: has another layout; a new one is built in %s", path, built)
    store = SQLiteStore(settings, built, path)
    try:
        store.create_tables()
    except LogError:
        store.close()
        raise
    return store


def _datastore(settings: LogSettings, path: Path) -> SQLiteDatastore:
    datastore = SQLiteDatastore(_uri(path), originator_id_type="text")
    datastore.pool = _Pool(db_name=_uri(path), lock_timeout=settings.lock_timeout_s)
    return datastore


def _is_current(path: Path) -> bool:
    """Whether the catalog at *path* has this layout, or no tables yet; raises `LogError`."""
    try:
        with closing(sqlite3.connect(_uri(path), uri=True)) as connection:
            if not connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                return True
            found = connection.execute("SELECT layout FROM catalog_layout").fetchall()
            return [row[0] for row in found] == [LAYOUT]
    except sqlite3.Error as error:
        raise LogError(_explain(path, error), field="catalog_path", value=str(path)) from None


def _replace(built: Path, place: Path) -> None:
    """Rename *built* to *place*; neither has a write-ahead log then, which would belong to the other."""
    if not built.exists():
        return  # another process was faster
    with closing(sqlite3.connect(_uri(built), uri=True, timeout=0)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "PRAGMA journal_mode=DELETE"
        )  # raises if another process has the file open
    for suffix in ("-wal", "-shm"):
        place.with_name(f"{place.name}{suffix}").unlink(missing_ok=True)
    built.replace(place)


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=rw"


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
