"""The library's PostgreSQL recorders, with statements of bounded size and time, and no commit in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import unwrap
from typing import Any, TypeVar

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import (
    PostgresAggregateRecorder,
    PostgresApplicationRecorder,
    PostgresFactory,
)
from psycopg.sql import SQL, Composed, Identifier, Literal

from share_actors.events.log.lease.guarded import GuardedRecorder, LeaseGuard
from share_actors.events.log.postgres.connection import (
    PAUSE_S,
    NoReply,
    is_unanswered,
    with_retries,
)
from share_actors.events.log.postgres.horizon import turn
from share_actors.events.log.postgres.layout import Layout

T = TypeVar("T")
_HELD = SQL(
    ", held AS MATERIALIZED (SELECT 1 FROM {schema}.lease, {before}"
    " WHERE system = {system} AND epoch = {epoch} FOR SHARE OF lease)"
)
_INSERT = SQL(
    " INSERT INTO {table} (originator_id, originator_version, topic, state)"
    " SELECT row.stream, row.version, row.topic, row.state FROM {last} CROSS JOIN"
    " unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[])"
    " WITH ORDINALITY AS row (stream, version, topic, state, number)"
    " ORDER BY row.number RETURNING notification_id"
)
_LAST_VERSIONS = SQL(
    "SELECT stream, (SELECT max(originator_version) FROM {schema}.{table}"
    " WHERE originator_id = stream) AS last FROM unnest(%s::text[]) AS stream"
)
MAX_ROWS, MAX_BYTES = 2_048, 4 * 1024 * 1024
"""More rows or bytes are written by several statements of one transaction."""
_END_S = 5.0
"""How long the end of a session is waited for."""
_END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ANY(%s) AND application_name = current_setting('application_name')
"""
"""Of this process only: the name is unique, while the system may have given the number to another."""


class BoundedRecorder(GuardedRecorder, PostgresApplicationRecorder):
    """Records events in bounded statements, and knows what it has recorded.

    Rows are written by a single statement that is a transaction of its own and waits for its turn: positions
    are taken in the order of the commits. No lock is held while the server waits for this process, whose
    machine may be cut off at any moment: between the messages of a longer transaction the server would wait
    for the next one, with the lock, and without a limit as long as it has not seen the end of a statement.
    No commit notifies channels, for which all transactions of the database would wait for each other.

    A commit without a reply may take effect later. Its session is ended before anything else is read or
    written, so that what is read then is final.
    """

    row_before_writing = "turn"
    """The expression of `_before_writing` that has one row once the statement may write."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sessions: list[int] = []
        """The server's process that the present insertion has reached."""
        self._doubtful: set[int] = set()
        """Those whose last commit got no reply."""
        self._statement = self._inserting(None)
        schema, table = Identifier(self.datastore.schema), Identifier(self.events_table_name)
        self._last_versions = _LAST_VERSIONS.format(schema=schema, table=table)
        self._layout: Layout | None = None

    def _before_writing(self) -> Composed:
        """The expressions that a writing statement begins with."""
        return turn(self.datastore.schema)

    def _inserting(self, guard: LeaseGuard | None) -> Composed:
        table = Identifier(self.datastore.schema, self.events_table_name)
        parts, last = [self._before_writing()], Identifier(self.row_before_writing)
        if guard is not None:
            schema = Identifier(self.datastore.schema)
            system, epoch = Literal(guard.system), Literal(guard.epoch)
            parts.append(_HELD.format(schema=schema, before=last, system=system, epoch=epoch))
            last = Identifier("held")
        return Composed([*parts, _INSERT.format(table=table, last=last)])

    def require_lease(self, guard: LeaseGuard) -> None:
        """Write only while the log has this lease. Its row is locked until the end of the transaction."""
        super().require_lease(guard)
        self._statement = self._inserting(guard)

    # -- writing -----------------------------------------------------------------------------------
    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Insert the rows in one transaction and return their ids; raises the guard's refusal."""
        ids = with_retries(lambda: self._insert(stored_events))
        if self.guard is not None and stored_events and not ids:
            raise self.guard.refusal()
        return ids

    def _insert(self, rows: Sequence[StoredEvent]) -> Sequence[int]:
        self.end_doubtful_sessions()
        self._sessions.clear()
        try:
            return self._insert_rows(rows)
        except Exception as error:
            if is_unanswered(error):
                self._doubtful.update(self._sessions)
            raise

    def _insert_rows(self, rows: Sequence[StoredEvent]) -> Sequence[int]:
        chunks = list(bounded(rows))
        with self.datastore.get_connection() as connection:
            self._sessions.append(connection.info.backend_pid)
            if len(chunks) == 1:
                return self._insert_chunk(connection, chunks[0])
            ids: list[int] = []
            with connection.transaction():
                for chunk in chunks:
                    found = self._insert_chunk(connection, chunk)
                    if not found:
                        break  # another system has the lease
                    ids += found
            return ids

    def _insert_chunk(self, connection: Any, rows: Sequence[StoredEvent]) -> list[int]:
        columns = (
            [str(row.originator_id) for row in rows],
            [row.originator_version for row in rows],
            [row.topic for row in rows],
            [row.state for row in rows],
        )
        found = connection.execute(self._statement, columns, prepare=True)
        return [row["notification_id"] for row in found.fetchall()]

    def end_doubtful_sessions(self) -> None:
        """End the sessions whose commit got no reply; raises `OperationalError` if they do not end."""
        deadline = time.monotonic() + _END_S
        while sessions := [*self._doubtful]:
            with self.datastore.get_connection() as connection:
                found = connection.execute(_END_SESSIONS, [sessions]).fetchall()
            if not found:
                self._doubtful.difference_update(sessions)
            elif time.monotonic() > deadline:
                text = "the session of an earlier commit has not ended yet"
                raise OperationalError(text) from NoReply(text)
            else:
                time.sleep(PAUSE_S)

    # -- reading -----------------------------------------------------------------------------------
    def require_layout(self, layout: Layout) -> None:
        """Read only while the log has these tables."""
        self._layout = layout

    def _checked(self, read: Callable[[], T]) -> T:
        """What *read* returns; raises `LayoutChanged` if the log has other tables now than at its opening."""
        self.end_doubtful_sessions()
        try:
            found = read()
        except ProgrammingError:  # such as a table that is gone
            self._check_layout()
            raise
        self._check_layout()
        return found

    def _check_layout(self) -> None:
        is_certain = self.guard is not None and self.guard.is_fresh()
        if self._layout is not None and not is_certain:  # who replaces tables has the lease
            with self.datastore.get_connection() as connection:
                self._layout.check(connection.execute)

    def select_events(self, *args: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        """The events of a stream, as in the library."""
        rows: Sequence[StoredEvent]
        rows = self._read(PostgresApplicationRecorder.select_events, *args, **kwargs)
        return rows

    def select_notifications(self, *args: Any, **kwargs: Any) -> Sequence[Notification]:
        """Events in the order of the log, as in the library."""
        rows: Sequence[Notification]
        rows = self._read(PostgresApplicationRecorder.select_notifications, *args, **kwargs)
        return rows

    def last_versions(self, streams: Sequence[str]) -> Mapping[str, int]:
        """The version of the last event of each of *streams* that has one."""

        def read() -> Mapping[str, int]:
            with self.datastore.get_connection() as connection:
                rows = connection.execute(self._last_versions, [list(streams)]).fetchall()
            return {row["stream"]: row["last"] for row in rows if row["last"] is not None}

        return with_retries(lambda: self._checked(read))

    def max_notification_id(self) -> int | None:
        """The id of the last event, as in the library."""
        last: int | None = self._read(PostgresApplicationRecorder.max_notification_id)
        return last

    def _read(self, select: Any, *args: Any, **kwargs: Any) -> Any:
        return with_retries(lambda: self._checked(lambda: _once(select)(self, *args, **kwargs)))


class SnapshotRecorder(PostgresAggregateRecorder):
    """Reads and writes state snapshots, repeated only if the connection is lost."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Insert the rows, as in the library."""
        insert = _once(PostgresAggregateRecorder.insert_events)
        with_retries(lambda: insert(self, stored_events, **kwargs))
        return None

    def select_events(self, *args: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        """The snapshots of a stream, as in the library."""
        select = _once(PostgresAggregateRecorder.select_events)
        rows: Sequence[StoredEvent] = with_retries(lambda: select(self, *args, **kwargs))
        return rows


class BoundedFactory(PostgresFactory):
    """The factory of these recorders."""

    application_recorder_class = BoundedRecorder
    aggregate_recorder_class = SnapshotRecorder
    layout: Layout | None = None
    """The tables with which the log was opened; None while they are created."""

    def application_recorder(self) -> ApplicationRecorder:
        """The recorder of the log."""
        recorder = self._new_recorder()
        if self.layout is not None:
            recorder.require_layout(self.layout)
        return recorder

    def _new_recorder(self) -> BoundedRecorder:
        recorder = super().application_recorder()
        assert isinstance(recorder, BoundedRecorder)
        return recorder


def _once(method: Any) -> Callable[..., Any]:
    """The library's *method* without its own retries, which repeat a cancelled statement ten times."""
    once: Callable[..., Any] = unwrap(method)
    return once


def bounded(
    rows: Sequence[StoredEvent], max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> Iterator[list[StoredEvent]]:
    """Split *rows* into chunks of at most *max_rows* rows and *max_bytes*, or one larger row."""
    chunk: list[StoredEvent] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == max_rows or size + _size(row) > max_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += _size(row)
    if chunk:
        yield chunk


def _size(row: StoredEvent) -> int:
    return len(row.state) + len(row.topic) + len(str(row.originator_id))
