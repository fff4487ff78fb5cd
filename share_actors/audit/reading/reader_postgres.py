"""The rows of a PostgreSQL log, read in read-only transactions; psycopg is an optional package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from share_actors.audit.reading.postgres_url import url_of
from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.archived_rows import ArchivedRow, postgres_reader
from share_actors.events.log.log import Notification
from share_actors.events.log.postgres.errors import LayoutChanged, explain_reading, where
from share_actors.events.log.postgres.horizon import Horizon
from share_actors.events.log.postgres.layout import Layout
from share_actors.events.log.postgres.partition_tables import EVENTS, recorded
from share_actors.events.log.postgres.store import login

_COLUMNS = "SELECT notification_id, originator_id, originator_version, topic, state FROM {table}"
_BATCH = SQL(_COLUMNS + " WHERE notification_id > %s ORDER BY notification_id LIMIT %s")
_STREAM = SQL(
    _COLUMNS + " WHERE originator_id = %s AND originator_version > %s"
    " ORDER BY originator_version LIMIT %s"
)
_BY_STREAM = SQL(
    _COLUMNS + " WHERE (originator_id, originator_version) > (%s, %s)"
    " AND starts_with(originator_id, %s) ORDER BY originator_id, originator_version LIMIT %s"
)
_LARGEST = SQL(
    "SELECT originator_id, count(*) FROM {table} GROUP BY originator_id ORDER BY 2 DESC, 1 LIMIT %s"
)
_HEAD = SQL("SELECT coalesce(max(notification_id), 0) FROM {table}")
_SIZE = SQL(
    "SELECT pg_total_relation_size({name}) + coalesce(sum(pg_total_relation_size(inhrelid)), 0)"
    " FROM pg_inherits WHERE inhparent = {name}::regclass"
)
_NO_END = 2**63 - 1
_WAIT_S = 60.0
"""How long older transactions of a partitioned log are waited for; the server ends them earlier."""
_CONNECT_TIMEOUT_S = 10
_SESSION = ("default_transaction_read_only=on", "statement_timeout=60s")


class PostgresSource:
    """The rows of the log in the schema of *settings*; raises `LogError` if there is none."""

    def __init__(self, settings: LogSettings, *, named: bool = True) -> None:
        self._settings = settings
        place = f"{where(settings)}, schema {settings.schema_name}"
        self.where = url_of(settings) if named else place
        self._field = "log" if named else "log.host"
        self._name = f"{settings.schema_name}.{EVENTS}"
        self._table = Identifier(settings.schema_name, EVENTS)
        self._connection: psycopg.Connection[Any] | None = None
        self._in_moment, self._last = False, _NO_END
        if self._query(SQL("SELECT to_regclass({name})"))[0][0] is None:
            self.close()
            raise LogError(
                f"{self.where}: there is no log: correct the database or the schema",
                field="log" if named else "log.schema_name",
                value=self.where if named else settings.schema_name,
            )
        self._layout = Layout(self._execute, settings.schema_name, EVENTS)
        self._horizon = self._find_horizon()

    def _find_horizon(self) -> Horizon | None:
        """What tells how far the order of a partitioned log is final; None if it has one partition."""
        schema = self._settings.schema_name
        if recorded(self._execute, schema) == 1:
            return None
        if self._query(SQL("SELECT pg_is_in_recovery()"))[0][0]:
            self.close()
            raise LogError(
                f"{self.where}: is a replica, which does not know the order of a log in several partitions"
                " before all of it has arrived: read the log on its primary server",
                field=self._field,
                value=self.where,
            )
        return Horizon(schema, EVENTS)

    def _end(self, after: int = _NO_END) -> int:
        """The greatest position up to which rows may be read, if some are left after *after*."""
        if self._horizon is None or self._in_moment:
            return self._last
        if after < self._horizon.final:
            return self._horizon.final
        try:
            return self._horizon.wait(self._execute, _WAIT_S)
        except TimeoutError as error:
            raise LogError(
                f"{self.where}: {error}: repeat the command", field=self._field
            ) from None

    def batch(self, after: int, limit: int) -> list[Notification]:
        """See `Source.batch`."""
        rows = self._upto(self._end(after), after, limit)
        if rows or self._horizon is None or self._in_moment:
            return rows
        return self._upto(self._end(), after, limit)  # those known to be final were archived

    def _upto(self, end: int, after: int, limit: int) -> list[Notification]:
        """The rows of a batch up to the position *end*; a condition would make the server sort all rows."""
        rows = self._rows(_BATCH, (after, limit))
        if not rows or rows[-1].position <= end:
            return rows
        return [row for row in rows if row.position <= end]

    def stream(self, name: str, after: int, limit: int) -> list[Notification]:
        """See `Source.stream`."""
        return self._rows(_STREAM, (name, after, limit))

    def by_stream(self, prefix: str, after: tuple[str, int], limit: int) -> list[Notification]:
        """See `Source.by_stream`."""
        return self._rows(_BY_STREAM, (*after, prefix, limit))

    def largest(self, limit: int) -> list[tuple[str, int]]:
        """See `Source.largest`."""
        return self._query(_LARGEST, (limit,))

    def archived(self, after: int, limit: int) -> Sequence[ArchivedRow]:
        """See `Source.archived`."""
        return postgres_reader(self._execute, self._settings.schema_name)(after, limit)

    def head(self) -> int:
        """See `Source.head`."""
        return int(self._query(_HEAD)[0][0])

    def size(self) -> int:
        """See `Source.size`."""
        return int(self._query(_SIZE)[0][0])

    @contextmanager
    def moment(self) -> Iterator[None]:
        """See `Source.moment`."""
        self._last = self._end()  # before the transaction, which must see all rows up to it
        self._execute(SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), ())
        self._in_moment = True
        try:
            yield
            self._execute(SQL("COMMIT"), ())
        finally:
            self._in_moment, self._last = False, _NO_END

    def _rows(self, statement: SQL, parameters: tuple[object, ...]) -> list[Notification]:
        rows = self._query(statement, parameters)
        try:
            self._layout.check(self._execute)
        except LayoutChanged as error:
            raise LogError(f"{self.where}: {error}", field=self._field) from None
        return [Notification(i, name, n, topic, bytes(state)) for i, name, n, topic, state in rows]

    def _query(self, statement: SQL, parameters: tuple[object, ...] = ()) -> list[Any]:
        """The rows of *statement*; a connection that was lost is opened again by the next query."""
        composed: Composed = statement.format(table=self._table, name=Literal(self._name))
        rows: list[Any] = self._execute(composed, parameters).fetchall()
        return rows

    def _execute(self, statement: Any, parameters: tuple[object, ...] = ()) -> Any:
        try:
            if self._connection is None or (self._connection.closed and not self._in_moment):
                self._connection = self._connect()
            return self._connection.execute(statement, parameters or None)
        except psycopg.Error as error:
            message = f"{self.where}: {explain_reading(self._settings, error)}"
            raise LogError(message, field=self._field) from None

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            **login(self._settings, *_SESSION),
            connect_timeout=_CONNECT_TIMEOUT_S,
            autocommit=True,
            application_name="share-actors log reader",
        )

    def close(self) -> None:
        """See `Source.close`."""
        if self._connection is not None:
            self._connection.close()
