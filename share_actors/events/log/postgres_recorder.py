"""The library's PostgreSQL recorder, with statements of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.utils import retry

MAX_ROWS = 256
MAX_BYTES = 128 * 1024
_retry = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
"""As in the library's recorders: a lost connection is opened again."""


class BoundedRecorder(PostgresApplicationRecorder):
    """Inserts a large batch with several statements of one transaction, outside psycopg's pipeline mode.

    In that mode a statement larger than the buffers of the connection waits for ever: client and server
    both write and neither reads, while the transaction holds the lock on the table.
    """

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Insert the rows in one transaction and return their ids."""
        ids: Sequence[int] | None
        if len(stored_events) <= MAX_ROWS and sum(map(_size, stored_events)) <= MAX_BYTES:
            ids = super().insert_events(stored_events, **kwargs)
        else:
            ids = _retry(self._insert_chunks)(list(bounded(stored_events)))
        return ids

    def _insert_chunks(self, chunks: Sequence[Sequence[StoredEvent]]) -> Sequence[int]:
        ids: list[int] = []
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            self._lock_table(cursor)
            self._notify_channel(cursor)
            for chunk in chunks:
                super(PostgresApplicationRecorder, self)._insert_stored_events(cursor, chunk)
                ids += [row["notification_id"] for row in cursor.fetchall()]
        return ids


def bounded(rows: Sequence[StoredEvent]) -> Iterator[list[StoredEvent]]:
    """Split *rows* into chunks of at most `MAX_ROWS` rows and `MAX_BYTES`, or one larger row."""
    chunk: list[StoredEvent] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == MAX_ROWS or size + _size(row) > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += _size(row)
    if chunk:
        yield chunk


def _size(row: StoredEvent) -> int:
    return len(row.state) + len(row.topic) + len(str(row.originator_id))
