"""The storage of a catalog: its rows and its checkpoint change in one transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from eventsourcing.persistence import IntegrityError, PersistenceError

from share_actors.errors import LogError
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.catalog import sql
from share_actors.events.catalog.rows import Rows

T = TypeVar("T")
NAME = "catalog"
LAYOUT = ".".join(str(v) for v in (sql.LAYOUT, *(a.STATE_VERSION for a in AGGREGATES.values())))
_READ_CHECKPOINT = (
    "SELECT t.notification_id, l.epoch FROM {s}{t} t, {s}catalog_layout l"
    " WHERE t.application_name = ?"
)
_LOCK = "UPDATE {s}{t} SET notification_id = notification_id WHERE application_name = ?"
_TO_START = (
    "INSERT INTO {s}{t} VALUES (?, 0)"
    " ON CONFLICT (application_name) DO UPDATE SET notification_id = 0"
)


class Checkpoint(NamedTuple):
    """The position up to which the catalog is complete; *epoch* changes with rows at the same position."""

    position: int
    epoch: str


class Store(ABC):
    """The catalog's part of a recorder; the library's tracking recorders store the position in the log."""

    tracking_table: str
    explain: Callable[[Exception], str]

    @abstractmethod
    def dialect(self, text: str) -> str:
        """Return the statement *text* in the dialect of this database."""

    @abstractmethod
    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        """Open a cursor in a transaction of its own."""

    @abstractmethod
    def track(self, c: Any, position: int) -> None:
        """Store the position in the log."""

    @abstractmethod
    def create_table(self) -> None:
        """Create the recorder's table; calls `create_layout`."""

    def with_retries(self, job: Callable[[], T]) -> T:
        """Run *job*, which is idempotent, again if the connection is lost; here without retries."""
        return job()

    @abstractmethod
    def close(self) -> None:
        """Close the connections to the database."""

    # -- reading -----------------------------------------------------------------------------------
    def rows(self, query: sql.Query) -> list[Any]:
        """Return the rows of *query*, whose values are read by column name."""
        return self._guarded(lambda: self._rows(query))

    def _rows(self, query: sql.Query) -> list[Any]:
        with self.cursor(commit=False) as c:
            c.execute(self.dialect(query.text), query.values)
            return list(c.fetchall())

    def checkpoint(self) -> Checkpoint:
        """Return the position up to which the rows are complete."""
        return _checkpoint_in(self.rows(sql.Query(_READ_CHECKPOINT, [NAME]))[0])

    # -- writing -----------------------------------------------------------------------------------
    def commit(self, rows: Rows, since: Checkpoint, upto: int) -> Checkpoint | None:
        """Write *rows*, the changes from *since* to *upto*; return None if the catalog is not at *since*."""
        return self._guarded(lambda: self._commit(rows, since, upto))

    def _commit(self, rows: Rows, since: Checkpoint, upto: int) -> Checkpoint | None:
        with self.cursor(commit=True) as c:
            c.execute(self.dialect(_LOCK), [NAME])  # other processes wait for this transaction
            c.execute(self.dialect(_READ_CHECKPOINT), [NAME])
            if _checkpoint_in(c.fetchone()) != since:
                return None
            self._put(c, rows)
            if upto > since.position:
                self.track(c, upto)
                return Checkpoint(upto, since.epoch)
            return Checkpoint(upto, self._new_epoch(c))

    def _new_epoch(self, c: Any) -> str:
        epoch = uuid4().hex
        c.execute(self.dialect("UPDATE {s}catalog_layout SET epoch = ?"), [epoch])
        return epoch

    def _put(self, c: Any, rows: Rows) -> None:
        for text, values in (
            (sql.PUT_SHARE, rows.shares),
            (sql.MOVE_SHARE, rows.moved),
            (sql.PUT_ENTITY, rows.entities),
            (sql.DROP_SNAPSHOT, rows.dropped_snapshots),
            (sql.PUT_SNAPSHOT, rows.snapshots),
            (sql.DROP_RULE, rows.dropped_rules),
            (sql.PUT_RULE, rows.rules),
            (sql.PUT_COMMAND, rows.commands),
            (sql.ADD_ROOM, rows.room),
            (sql.ADD_COUNT, rows.counts),
            (sql.ADD_USE, rows.uses),
            (sql.PUT_PARKED, rows.parked),
            (sql.DROP_PARKED, rows.unparked),
        ):
            if values:
                c.executemany(self.dialect(text), values)

    # -- tables ------------------------------------------------------------------------------------
    def create_tables(self) -> None:
        """Create missing tables; several processes may do so at the same time."""
        self._guarded(self._create_tables)

    def _create_tables(self) -> None:
        try:
            self.create_table()
        except IntegrityError:
            self.create_table()  # another process was faster

    def create_layout(self, c: Any) -> None:
        """Create the catalog's tables unless they exist in the current layout."""
        c.execute(self.dialect(sql.CREATE_LAYOUT))
        self.renew_layout(c)

    def renew_layout(self, c: Any) -> None:
        """Create the tables again if they are in another layout."""
        c.execute(self.dialect("SELECT layout FROM {s}catalog_layout"))
        if [row["layout"] for row in c.fetchall()] != [LAYOUT]:
            self._recreate_tables(c)

    def reset(self) -> None:
        """Delete all rows and return to the start of the log."""
        self._guarded(self._reset)

    def _reset(self) -> None:
        with self.cursor(commit=True) as c:
            c.execute(self.dialect(_LOCK), [NAME])
            self._recreate_tables(c)

    @abstractmethod
    def exchange(self) -> None:
        """Put a catalog that was built beside one of another layout in its place, now that it is whole."""

    @abstractmethod
    def compact(self) -> None:
        """Remove what deleted rows left in the files."""

    def _recreate_tables(self, c: Any) -> None:
        for table in sql.TABLES:
            c.execute(self.dialect(f"DROP TABLE IF EXISTS {{s}}{table}"))
        for text in sql.CREATE:
            c.execute(self.dialect(text))
        c.execute(self.dialect("DELETE FROM {s}catalog_layout"))
        c.execute(self.dialect("INSERT INTO {s}catalog_layout VALUES (?, '')"), [LAYOUT])
        c.execute(self.dialect(_TO_START), [NAME])
        self._new_epoch(c)

    def _guarded(self, job: Callable[[], T]) -> T:
        try:
            return self.with_retries(job)
        except PersistenceError as error:
            raise LogError(self.explain(error)) from error


def _checkpoint_in(row: Any) -> Checkpoint:
    return Checkpoint(row["notification_id"], row["epoch"])
