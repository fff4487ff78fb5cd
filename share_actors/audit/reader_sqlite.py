"""The rows of a SQLite log, read without a write to the file, its directory or its write-ahead log.

A file that a system uses has a `-shm` file beside it and is read through it. A copy has none: if it has a
`-wal` file, that holds events which are not in the file yet, and SQLite would have to create the `-shm`
file to read them; so both are copied to a temporary directory first, and the evidence is left as it is.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from share_actors.errors import LogError
from share_actors.events.log import sqlite_file
from share_actors.events.log.archived_rows import ArchivedRow, sqlite_reader
from share_actors.events.log.log import Notification

_COLUMNS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
_BATCH = f"{_COLUMNS} WHERE rowid > ? ORDER BY rowid LIMIT ?"
_STREAM = (
    f"{_COLUMNS} WHERE originator_id = ? AND originator_version > ?"
    " ORDER BY originator_version LIMIT ?"
)
_BY_STREAM = (
    f"{_COLUMNS} WHERE (originator_id, originator_version) > (?, ?) AND substr(originator_id, 1, ?) = ?"
    " ORDER BY originator_id, originator_version LIMIT ?"
)
_ALL_BY_STREAM = (
    f"{_COLUMNS} WHERE (originator_id, originator_version) > (?, ?)"
    " ORDER BY originator_id, originator_version LIMIT ?"
)
_LARGEST = (
    "SELECT originator_id, count(*) FROM stored_events GROUP BY originator_id"
    " ORDER BY 2 DESC, 1 LIMIT ?"
)
_BUSY_TIMEOUT_S = 30.0
_ADVICE = "check that the file is a complete log; copy it together with its -wal file"


class SQLiteSource:
    """The rows of the SQLite log at *path*; raises `LogError` if it is not one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)
        sqlite_file.check_readable(path)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._connection: sqlite3.Connection | None = None
        self._is_immutable = False
        self._connect()

    def _connect(self) -> None:
        path, self._is_immutable = self._path, False
        if not _beside(path, "-shm").exists():
            if _has_wal(path):
                path = self._copied()
            else:
                self._is_immutable = True
        options = "mode=ro&immutable=1" if self._is_immutable else "mode=ro"
        uri = f"file:{quote(str(path.absolute()))}?{options}"
        try:
            self._connection = sqlite3.connect(
                uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
            )
            self._connection.execute("SELECT 1 FROM stored_events LIMIT 1")
        except sqlite3.Error as error:
            self.close()
            raise self._error(f"cannot be read as a log: {error}", _ADVICE) from None

    def _copied(self) -> Path:
        """A private copy of the file and its write-ahead log."""
        try:
            self._copy = tempfile.TemporaryDirectory(prefix="share-actors-log-")
            copy = Path(self._copy.name) / "log.db"
            shutil.copyfile(self._path, copy)
            shutil.copyfile(_beside(self._path, "-wal"), _beside(copy, "-wal"))
        except OSError as error:
            self.close()
            raise self._error(
                f"has a write-ahead log ({self._path.name}-wal) and cannot be copied to read it:"
                f" {error.strerror}",
                "set TMPDIR to a directory with room for both files",
            ) from None
        return copy

    def batch(self, after: int, limit: int) -> list[Notification]:
        """See `Source.batch`."""
        self._reopen_if_in_use()
        return [Notification(*row) for row in self._query(_BATCH, (after, limit))]

    def stream(self, name: str, after: int, limit: int) -> list[Notification]:
        """See `Source.stream`."""
        return [Notification(*row) for row in self._query(_STREAM, (name, after, limit))]

    def by_stream(self, prefix: str, after: tuple[str, int], limit: int) -> list[Notification]:
        """See `Source.by_stream`."""
        start = max(after, (prefix, 0))
        if not prefix:
            return [Notification(*row) for row in self._query(_ALL_BY_STREAM, (*start, limit))]
        parameters = (*start, len(prefix), prefix, limit)
        return [Notification(*row) for row in self._query(_BY_STREAM, parameters)]

    def largest(self, limit: int) -> list[tuple[str, int]]:
        """See `Source.largest`."""
        return self._query(_LARGEST, (limit,))

    def archived(self, after: int, limit: int) -> Sequence[ArchivedRow]:
        """See `Source.archived`."""
        if self._connection is None:
            raise self._error("is closed", "open it again")
        try:
            return sqlite_reader(self._connection.execute)(after, limit)
        except sqlite3.Error as error:
            raise self._error(f"cannot be read: {error}", _ADVICE) from None

    def head(self) -> int:
        """See `Source.head`."""
        self._reopen_if_in_use()
        return int(self._query("SELECT coalesce(max(rowid), 0) FROM stored_events")[0][0])

    def size(self) -> int:
        """See `Source.size`."""
        files = (self._path, _beside(self._path, "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def copy_to(self, path: Path) -> None:
        """Copy the whole database, as of one moment, into the new file *path*; raises `LogError`."""
        if self._connection is None:
            raise self._error("is closed", "open it again")
        try:
            with closing(sqlite3.connect(path)) as copy:
                self._connection.backup(copy)
        except sqlite3.Error as error:
            raise self._error(f"cannot be copied to {path}: {error}", _ADVICE) from None

    def _reopen_if_in_use(self) -> None:
        """A system may have started since the file was opened as one that nobody writes."""
        if self._is_immutable and _beside(self._path, "-shm").exists():
            self.close()
            self._connect()

    def _query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        if self._connection is None:
            raise self._error("is closed", "open it again")
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._error(f"cannot be read: {error}", _ADVICE) from None

    def _error(self, problem: str, advice: str) -> LogError:
        return sqlite_file.file_error(self._path, problem, advice)

    def close(self) -> None:
        """See `Source.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _has_wal(path: Path) -> bool:
    wal = _beside(path, "-wal")
    return wal.exists() and wal.stat().st_size > 0
