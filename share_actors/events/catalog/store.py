"""Where the catalog is kept: its rows and its place in the log change in one transaction, or not at all."""

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
from share_actors.events.catalog.fold import Rows

T = TypeVar("T")
NAME = "catalog"
_LAYOUT = ".".join(str(v) for v in (sql.LAYOUT, *(a.STATE_VERSION for a in AGGREGATES.values())))
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
    def create_table(self) -> None:
        """The recorder's own, which comes to `lay_out`."""

    def patiently(self, job: Callable[[], T]) -> T:
        """Do *job*, each of which can be done again when it is not known whether it was done."""
        return job()

    @abstractmethod
    def close(self) -> None: ...

    # -- reading -----------------------------------------------------------------------------------
    def rows(self, query: sql.Query) -> list[Any]:
        """The rows that *query* finds, each read by the names of its columns."""
        return self._explained(lambda: self._rows(query))

    def _rows(self, query: sql.Query) -> list[Any]:
        with self.cursor(commit=False) as c:
            c.execute(self.dialect(query.text), query.values)
            return list(c.fetchall())

    def place(self) -> Place:
        """How far the rows tell the log."""
        return _place(self.rows(sql.Query(_PLACE, [NAME]))[0])

    # -- writing -----------------------------------------------------------------------------------
    def commit(self, rows: Rows, place: Place, upto: int) -> Place | None:
        """Put *rows*, which tell the log from *place* to *upto*; None if the catalog is not at *place*."""
        return self._explained(lambda: self._commit(rows, place, upto))

    def _commit(self, rows: Rows, place: Place, upto: int) -> Place | None:
        with self.cursor(commit=True) as c:
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
            (sql.PUT_ENTITY, rows.entities),
            (sql.DROP_SNAPSHOT, rows.dropped_snapshots),
            (sql.PUT_SNAPSHOT, rows.snapshots),
            (sql.DROP_RULE, rows.dropped_rules),
            (sql.PUT_RULE, rows.rules),
            (sql.PUT_COMMAND, rows.commands),
            (sql.PUT_PARKED, rows.parked),
            (sql.DROP_PARKED, rows.unparked),
        ):
            if many:
                c.executemany(self.dialect(text), many)

    # -- tables ------------------------------------------------------------------------------------
    def make(self) -> None:
        """Make the tables unless they are there; two processes may do so at once."""
        self._explained(self._make)

    def _make(self) -> None:
        try:
            self.create_table()
        except IntegrityError:
            self.create_table()  # the other one was quicker

    def lay_out(self, c: Any) -> None:
        """Make our tables, unless they are there in the layout of this version."""
        c.execute(self.dialect(sql.CREATE_LAYOUT))
        c.execute(self.dialect("SELECT layout FROM {s}catalog_layout"))
        if [found["layout"] for found in c.fetchall()] != [_LAYOUT]:
            self._start_anew(c)

    def reset(self) -> None:
        """Back to the beginning of the log, with no rows."""
        self._explained(self._reset)

    def _reset(self) -> None:
        with self.cursor(commit=True) as c:
            c.execute(self.dialect(_HOLD), [NAME])
            self._start_anew(c)

    def _start_anew(self, c: Any) -> None:
        for table in sql.TABLES:
            c.execute(self.dialect(f"DROP TABLE IF EXISTS {{s}}{table}"))
        for text in sql.CREATE:
            c.execute(self.dialect(text))
        c.execute(self.dialect("DELETE FROM {s}catalog_layout"))
        c.execute(self.dialect("INSERT INTO {s}catalog_layout VALUES (?, '')"), [_LAYOUT])
        c.execute(self.dialect(_AT_START), [NAME])
        self._new_epoch(c)

    def _explained(self, job: Callable[[], T]) -> T:
        try:
            return self.patiently(job)
        except PersistenceError as error:
            raise LogError(self.explain(error)) from error


def _place(row: Any) -> Place:
    return Place(row["notification_id"], row["epoch"])
