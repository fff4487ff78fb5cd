"""Making an index, and adding to it what its log has got since."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from share_actors.audit.index import file
from share_actors.audit.index.file import Meta
from share_actors.audit.reading.reader import LogReader
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.durable_files import sync_file
from share_actors.events import share
from share_actors.events.log.log import Notification
from share_actors.scratch import clear_beside, scratch_beside
from share_actors.values import Frozen

_PREFIX = f"{share.KIND}-"
_INSERT = "INSERT OR REPLACE INTO shares VALUES (?, ?, ?, ?, ?, ?)"
Row = tuple[str, str | None, int, float, float, bytes]


class IndexUpdate(Frozen):
    """What was done: *made* anew or continued; *shares* is how many were folded, *head* where it ends now."""

    made: bool
    shares: int
    head: int


def versions(version: str) -> str:
    """The version of an index: of share_actors (*version*) and of the states of shares."""
    return f"{version}, states {share.STATE_VERSION}"


def update_index(
    reader: LogReader, path: Path, version: str, progress: Progress = no_progress
) -> IndexUpdate:
    """Make the index of *reader*'s log at *path*, or bring it up to date; *version* is that of share_actors.

    One of an earlier version is made anew. Raises `InvalidRequest` if the file is something else or the index
    of another log, and `LogError` at an event that cannot be read; the file is then as it was.
    """
    head = reader.head()
    meta = Meta(
        format=file.FORMAT,
        version=versions(version),
        first=file.first_digest(reader),
        head=head,
        head_row=file.row_digest(reader, head),
    )
    if not os.path.lexists(path):
        return _make(reader, path, meta, progress)
    clear_beside(path)
    with file.connected(path, write=True) as connection:
        known = file.read_meta(path, connection)
        if not file.belongs(known, reader):
            raise file.index_error(
                path, f"is the index of another log than {reader.where}; it was not changed"
            )
        if (known.format, known.version) == (meta.format, meta.version):
            return _continue(reader, connection, known, meta, progress)
    return _make(reader, path, meta, progress, replace=True)


def _make(
    reader: LogReader, path: Path, meta: Meta, progress: Progress, *, replace: bool = False
) -> IndexUpdate:
    try:
        with scratch_beside(path) as scratch:
            new = scratch / "index"
            with closing(sqlite3.connect(new, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode=OFF")
                connection.executescript(file.TABLES)
                connection.execute(f"PRAGMA application_id={file.APPLICATION_ID}")
                rows = _counted(reader.rows_by_stream(_PREFIX), meta.head, progress)
                shares = _fill(connection, meta, _streams(reader, rows, meta.head))
            new.chmod(path.stat().st_mode & 0o777 if replace else 0o600)
            sync_file(new)
            new.replace(path) if replace else os.link(new, path)
    except (OSError, sqlite3.Error) as error:
        raise file.index_error(path, f"cannot be written: {error}") from None
    return IndexUpdate(made=True, shares=shares, head=meta.head)


def _continue(
    reader: LogReader,
    connection: sqlite3.Connection,
    known: Meta,
    meta: Meta,
    progress: Progress,
) -> IndexUpdate:
    changed = changed_streams(reader, known.head, meta.head, progress)
    rows = (row for stream in sorted(changed) for row in reader.stream_rows(stream))
    shares = _fill(connection, meta, _streams(reader, rows, meta.head))
    return IndexUpdate(made=False, shares=shares, head=meta.head)


def changed_streams(
    reader: LogReader, after: int, upto: int, progress: Progress = no_progress
) -> set[str]:
    """The streams of shares that got events after the position *after*."""
    rows = _counted(reader.rows(after, upto), upto, progress)
    return {row.stream for row in rows if row.stream.startswith(_PREFIX)}


def _fill(connection: sqlite3.Connection, meta: Meta, rows: Iterable[Row]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    shares = connection.executemany(_INSERT, rows).rowcount
    file.write_meta(connection, meta)
    connection.execute("COMMIT")
    return max(shares, 0)


def _streams(reader: LogReader, rows: Iterable[Notification], head: int) -> Iterator[Row]:
    for stream, group in groupby(rows, key=lambda row: row.stream):
        state, first, last, version = share.initial, float("inf"), 0.0, 0
        for row in group:
            if row.position > head:  # it came after the index was begun
                break
            event = reader.decode_event(row)
            state = share.evolve(state, event)  # type: ignore[arg-type]
            last, version = reader.time_of(row).timestamp(), row.version
            first = min(first, last)
        if version:
            view = share.view(state)
            name = None if reader.is_encrypted else view.name
            sealed = reader.seal(view.model_dump_json().encode())
            yield stream, name, version, first, last, sealed


def _counted(
    rows: Iterable[Notification], total: int, progress: Progress
) -> Iterator[Notification]:
    for done, row in enumerate(rows, 1):
        if done % PROGRESS_EVERY == 0:
            progress(done, total)
        yield row
