"""Reads all rows of a log in order without writing anything, also of a copy and without its cipher key."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.archived_rows import ArchivedRow, merged, sqlite_reader
from share_actors.events.log.log import Notification
from share_actors.events.log.postgres import open_postgres
from share_actors.events.log.sqlite_file import APPLICATION_ID, file_error

Row = Notification | ArchivedRow
ReadRows = Callable[[int, int], Sequence[Row]]
"""At most so many rows after a position, in the order in which they were recorded; also archived ones."""
_SELECT = """
    SELECT rowid, originator_id, originator_version, topic, state FROM stored_events
    WHERE rowid > ? ORDER BY rowid LIMIT ?
"""


@contextmanager
def open_read_only(settings: LogSettings, path: Path) -> Iterator[ReadRows]:
    """Open the log of *settings*; *path* is the file of kind `sqlite`. Raises `LogError`, also while reading.

    All reads of a SQLite log see it as it was at the first one.
    """
    if settings.kind == "sqlite":
        with _open_sqlite(path) as read:
            yield read
        return
    store = open_postgres(settings, create=False)
    recorder = store.factory.application_recorder()

    def read_postgres(after: int, limit: int) -> Sequence[Row]:
        try:
            rows = recorder.select_notifications(after, limit, inclusive_of_start=False)
            archived = store.archived(after, limit)
        except Exception as error:
            raise LogError(store.explain(error)) from error
        found = [
            Notification(r.id, str(r.originator_id), r.originator_version, r.topic, bytes(r.state))
            for r in rows
        ]
        return merged(found, archived, limit)

    try:
        yield read_postgres
    finally:
        store.factory.close()


@contextmanager
def _open_sqlite(path: Path) -> Iterator[ReadRows]:
    advice = "name the log's file, with its -wal file beside it"
    wal = path.with_name(f"{path.name}-wal")
    if not path.is_file():
        raise file_error(path, "is not a file", advice)
    # Without a -wal file nobody has it open; SQLite would otherwise create one beside a copy.
    is_copy = not wal.exists()
    query = "mode=ro&immutable=1" if is_copy else "mode=ro"
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.absolute()))}?{query}", uri=True)
        ) as connection:
            connection.isolation_level = None
            connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise file_error(path, "is not the file of a log", advice)
            connection.execute("BEGIN")
            yield lambda after, limit: _rows(connection, after, limit)
    except sqlite3.Error as error:
        problem = f"cannot be read: {error}"
        raise file_error(path, problem, f"{advice}, in a directory you may write in") from None
    if is_copy and wal.exists() and os.stat(wal).st_size:
        raise file_error(path, "was opened by a system meanwhile", "repeat the command")


def _rows(connection: sqlite3.Connection, after: int, limit: int) -> Sequence[Row]:
    rows = [Notification(*_typed(*row)) for row in connection.execute(_SELECT, (after, limit))]
    return merged(rows, sqlite_reader(connection.execute)(after, limit), limit)


def _typed(position: int, stream: Any, version: Any, topic: Any, state: Any) -> Any:
    """The columns with the types that the system writes; others become values that it never writes."""
    return (
        position,
        stream if isinstance(stream, str) else f"({stream!r})",
        version if isinstance(version, int) else 0,
        topic if isinstance(topic, str) else f"({topic!r})",
        state if isinstance(state, bytes) else f"({state!r})".encode("utf-8", "surrogateescape"),
    )


def rows_in_order(read: ReadRows, batch_size: int = 2_000) -> Iterator[Row]:
    """All rows, read in batches."""
    position = -(2**62)
    while rows := read(position, batch_size):
        yield from rows
        position = rows[-1].position
