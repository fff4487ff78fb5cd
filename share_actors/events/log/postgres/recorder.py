"""The library's PostgreSQL recorders, with statements of bounded size and time, and no commit in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import unwrap
from typing import Any

from eventsourcing.persistence import Notification, OperationalError, StoredEvent
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

_HELD = SQL(
    " WHERE EXISTS (SELECT 1 FROM {schema}.lease WHERE system = {system} AND epoch = {epoch} FOR SHARE)"
)
_LAST_VERSIONS = SQL(
    "SELECT stream, (SELECT max(originator_version) FROM {schema}.{table}"
    " WHERE originator_id = stream) AS last FROM unnest(%s::text[]) AS stream"
)
MAX_ROWS = 256
MAX_BYTES = 128 * 1024
_END_S = 5.0
"""How long the end of a session is waited for."""
_END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ANY(%s) AND application_name = current_setting('application_name')
"""
"""Of this process only: the name is unique, while the system may have given the number to another."""


class BoundedRecorder(GuardedRecorder, PostgresApplicationRecorder):
    """Records events in bounded statements, and knows what it has recorded.

    A large batch is inserted with several statements of one transaction, outside psycopg's pipeline mode.
    In that mode a statement larger than the buffers of the connection waits for ever: client and server
    both write and neither reads, while the transaction holds the lock on the table.

    A commit without a reply may take effect later. Its session is ended before anything else is read or
    written, so that what is read then is final.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sessions: list[int] = []
        """The server's process that the present insertion has reached."""
        self._doubtful: set[int] = set()
        """Those whose last commit got no reply."""
        self._insert_unguarded: Composed = self.insert_events_statement
        schema, table = Identifier(self.datastore.schema), Identifier(self.events_table_name)
        self._last_versions = _LAST_VERSIONS.format(schema=schema, table=table)

    def require_lease(self, guard: LeaseGuard) -> None:
        """Write only while the log has this lease. Its row is locked until the end of the transaction."""
        super().require_lease(guard)
        *insert, returning = self._insert_unguarded
        condition = _HELD.format(
            schema=Identifier(self.datastore.schema),
            system=Literal(guard.system),
            epoch=Literal(guard.epoch),
        )
        self.insert_events_statement = Composed([*insert, condition, returning])

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
        if len(rows) > MAX_ROWS or sum(map(_size, rows)) > MAX_BYTES:
            return self._insert_chunks(list(bounded(rows)))
        ids: Sequence[int] = _once(PostgresApplicationRecorder.insert_events)(self, rows)
        return ids

    def _insert_events(self, curs: Any, stored_events: Sequence[StoredEvent], **_: Any) -> None:
        """Note the session: the library calls this first in each transaction."""
        self._sessions.append(curs.connection.info.backend_pid)

    def _insert_chunks(self, chunks: Sequence[Sequence[StoredEvent]]) -> Sequence[int]:
        ids: list[int] = []
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            self._insert_events(cursor, ())
            self._lock_table(cursor)
            self._notify_channel(cursor)
            for chunk in chunks:
                super(PostgresApplicationRecorder, self)._insert_stored_events(cursor, chunk)
                ids += [row["notification_id"] for row in cursor.fetchall()]
                if not ids:
                    break  # another system has the lease
        return ids

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
            self.end_doubtful_sessions()
            with self.datastore.get_connection() as connection:
                rows = connection.execute(self._last_versions, [list(streams)]).fetchall()
            return {row["stream"]: row["last"] for row in rows if row["last"] is not None}

        return with_retries(read)

    def max_notification_id(self) -> int | None:
        """The id of the last event, as in the library."""
        last: int | None = self._read(PostgresApplicationRecorder.max_notification_id)
        return last

    def _read(self, select: Any, *args: Any, **kwargs: Any) -> Any:
        def read() -> Any:
            self.end_doubtful_sessions()
            return _once(select)(self, *args, **kwargs)

        return with_retries(read)


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
