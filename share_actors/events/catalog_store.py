"""Where the catalog is kept: its rows and its place in the log change in one transaction, or not at all."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
    SQLiteTrackingRecorder,
)

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events import catalog_sql as sql
from share_actors.events import share
from share_actors.events.catalog_fold import Rows
from share_actors.events.recorders import DurableConnection

NAME = "catalog"
_LAYOUT = f"{sql.LAYOUT}.{share.STATE_VERSION}"
_PLACE = (
    "SELECT t.notification_id, l.epoch FROM {s}{t} t, {s}catalog_layout l"
    " WHERE t.application_name = ?"
)
_HOLD = "UPDATE {s}{t} SET notification_id = notification_id WHERE application_name = ?"
_AT_START = (
    "INSERT INTO {s}{t} VALUES (?, 0)"
    " ON CONFLICT (application_name) DO UPDATE SET notification_id = 0"
)


class Place(NamedTuple):
    """How far the catalog tells the log; *epoch* changes when rows do without it going on."""

    position: int
    epoch: str


class Store(ABC):
    """What both recorders add to the library's tracking of a place in the log."""

    tracking_table: str
    explain: Callable[[Exception], str]

    @abstractmethod
    def dialect(self, text: str) -> str:
        """*text* as this database has it."""

    @abstractmethod
    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        """A cursor in a transaction of its own."""

    @abstractmethod
    def track(self, c: Any, position: int) -> None:
        """Move the place in the log."""

    @abstractmethod
    def close(self) -> None: ...

    # -- reading -----------------------------------------------------------------------------------
    def rows(self, query: sql.Query) -> list[Any]:
        """The rows that *query* finds, each read by the names of its columns."""
        with self._explained(), self.cursor(commit=False) as c:
            c.execute(self.dialect(query.text), query.values)
            return list(c.fetchall())

    def place(self) -> Place:
        """How far the rows tell the log."""
        return _place(self.rows(sql.Query(_PLACE, [NAME]))[0])

    # -- writing -----------------------------------------------------------------------------------
    def commit(self, rows: Rows, place: Place, upto: int) -> Place | None:
        """Put *rows*, which tell the log from *place* to *upto*; None if the catalog is not at *place*."""
        with self._explained(), self.cursor(commit=True) as c:
            c.execute(self.dialect(_HOLD), [NAME])  # other projectors wait until this one is done
            c.execute(self.dialect(_PLACE), [NAME])
            if _place(c.fetchone()) != place:
                return None
            self._put(c, rows)
            if upto > place.position:
                self.track(c, upto)
                return Place(upto, place.epoch)
            return Place(upto, self._new_epoch(c))

    def _new_epoch(self, c: Any) -> str:
        epoch = uuid4().hex
        c.execute(self.dialect("UPDATE {s}catalog_layout SET epoch = ?"), [epoch])
        return epoch

    def _put(self, c: Any, rows: Rows) -> None:
        for text, many in (
            (sql.PUT_SHARE, rows.shares),
            (sql.DROP_SNAPSHOT, rows.dropped_snapshots),
            (sql.PUT_SNAPSHOT, rows.snapshots),
            (sql.DROP_RULE, rows.dropped_rules),
            (sql.PUT_RULE, rows.rules),
            (sql.PUT_PARKED, rows.parked),
            (sql.DROP_PARKED, rows.unparked),
        ):
            if many:
                c.executemany(self.dialect(text), many)

    def reset(self) -> None:
        """Back to the beginning of the log, with no rows."""
        with self._explained(), self.cursor(commit=True) as c:
            c.execute(self.dialect(_HOLD), [NAME])
            self.drop(c)

    def drop(self, c: Any) -> None:
        """Make all tables anew, in the layout of this version."""
        for table in (*sql.TABLES, "catalog_layout"):
            c.execute(self.dialect(f"DROP TABLE IF EXISTS {{s}}{table}"))
        for text in sql.CREATE:
            c.execute(self.dialect(text))
        c.execute(self.dialect("INSERT INTO {s}catalog_layout VALUES (?, ?)"), [_LAYOUT, ""])
        self._new_epoch(c)
        c.execute(self.dialect(_AT_START), [NAME])

    def lay_out(self, c: Any) -> None:
        """Make the tables unless they are there, in the layout of this version."""
        for text in sql.CREATE:
            c.execute(self.dialect(text))
        c.execute(self.dialect("SELECT layout FROM {s}catalog_layout"))
        if [found["layout"] for found in c.fetchall()] != [_LAYOUT]:
            self.drop(c)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PersistenceError as error:
            raise LogError(self.explain(error)) from error


def _place(row: Any) -> Place:
    return Place(row["notification_id"], row["epoch"])


class SQLiteStore(Store, SQLiteTrackingRecorder):
    """The catalog in a file of its own."""

    tracking_table = "tracking"

    def __init__(self, datastore: SQLiteDatastore, path: Path) -> None:
        SQLiteTrackingRecorder.__init__(self, datastore)
        self._path = path

    def explain(self, error: Exception) -> str:
        advice = "it holds nothing of its own: if it is damaged, delete it, and it is made anew"
        return f"catalog_path {self._path}: {error}; {advice}"

    def dialect(self, text: str) -> str:
        return text.replace("{s}", "").replace("{c}", "").replace("{t}", self.tracking_table)

    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        return self.datastore.transaction(commit=commit)

    def track(self, c: Any, position: int) -> None:
        self._insert_tracking(c, Tracking(NAME, position))

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
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.row_factory = sqlite3.Row
        return DurableConnection(connection, max_age=self.max_age)


def open_sqlite(settings: LogSettings, path: Path) -> Store:
    """The catalog in the file at *path*, made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"file:{quote(str(path.absolute()))}"
    datastore = SQLiteDatastore(name, originator_id_type="text")
    datastore.pool = _Pool(db_name=name, lock_timeout=settings.lock_timeout_s)
    store = SQLiteStore(datastore, path)
    return made(store, store)


def made(store: Store, recorder: SQLiteTrackingRecorder | Any) -> Store:
    """*store* with its tables; two processes may make them at once."""
    for last in (False, True):
        try:
            recorder.create_table()
        except IntegrityError:
            if last:
                raise
        else:
            break
    return store
