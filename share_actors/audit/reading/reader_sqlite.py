"""The rows of a SQLite log, read without a write to the file, its directory or its write-ahead log.

A file that a system uses has a `-shm` file beside it and is read through it. A copy has none: if it has a
`-wal` file, that holds events which are not in the file yet, and SQLite would have to create the `-shm`
file to read them; so both are copied to a temporary directory first, and the evidence is left as it is. So is
a copy with a `-shm` file that this user may not write.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from share_actors.errors import LogError
from share_actors.events.log.archived_rows import ArchivedRow, sqlite_reader
from share_actors.events.log.log import Notification
from share_actors.events.log.sqlite import file as sqlite_file
from share_actors.scratch import Scratch

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
_COPIES = 5
"""How often a file that changes meanwhile is copied."""
_AS_OWNER = "run the command as the user of the system, or read a backup"


class SQLiteSource:
    """The rows of the SQLite log at *path*; raises `LogError` if it is not one."""

    def __init__(self, path: Path, advice: sqlite_file.Advice = sqlite_file.NAMED) -> None:
        self._path, self._advice = path, advice
        self.where = str(path)
        sqlite_file.check_readable(path, advice)
        self._copy: Scratch | None = None
        self._copied_state: list[tuple[int, int]] = []
        self._connection: sqlite3.Connection | None = None
        self._is_immutable = self._in_moment = False
        self._connect()

    def _connect(self) -> None:
        self._is_immutable = False
        if _beside(self._path, "-shm").exists():
            try:
                self._open(self._path, "mode=ro")
            except sqlite3.OperationalError as error:
                self._disconnect()
                if not _needs_writing(error):
                    raise self._unreadable(error) from None
                self._open_copy()
        elif _has_wal(self._path):
            self._open_copy()
        else:
            self._is_immutable = True
            self._open_or_explain(self._path, "mode=ro&immutable=1")

    def _open_copy(self) -> None:
        self._open_or_explain(self._copied(), "mode=ro")

    def _open_or_explain(self, path: Path, options: str) -> None:
        try:
            self._open(path, options)
        except sqlite3.Error as error:
            self.close()
            raise self._unreadable(error) from None

    def _open(self, path: Path, options: str) -> None:
        uri = f"file:{quote(str(path.absolute()))}?{options}"
        self._connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
        )
        self._connection.text_factory = _text
        self._connection.execute("SELECT 1 FROM stored_events LIMIT 1")

    def _unreadable(self, error: sqlite3.Error) -> LogError:
        return self._error(f"cannot be read as a log: {error}", self._advice.damaged)

    def _copied(self) -> Path:
        """A private copy of the file and its write-ahead log."""
        try:
            self._copy = Scratch("log")
            copy = self._copy.path / "log.db"
            for _ in range(_COPIES):
                before = self._state()
                shutil.copyfile(self._path, copy)
                if _has_wal(self._path):
                    shutil.copyfile(_beside(self._path, "-wal"), _beside(copy, "-wal"))
                if self._state() == before:
                    self._copied_state = before
                    return copy
        except OSError as error:
            self.close()
            raise self._error(
                f"has a write-ahead log ({self._path.name}-wal) and cannot be copied to read it:"
                f" {error.strerror}",
                "set TMPDIR to a directory with room for both files",
            ) from None
        self.close()
        raise self._error("is in use, and this user may not write its -shm file", _AS_OWNER)

    def batch(self, after: int, limit: int) -> list[Notification]:
        """See `Source.batch`."""
        self._reopen_if_in_use()
        return self._rows(_BATCH, (after, limit))

    def stream(self, name: str, after: int, limit: int) -> list[Notification]:
        """See `Source.stream`."""
        return self._rows(_STREAM, (name, after, limit))

    def by_stream(self, prefix: str, after: tuple[str, int], limit: int) -> list[Notification]:
        """See `Source.by_stream`."""
        start = max(after, (prefix, 0))
        if not prefix:
            return self._rows(_ALL_BY_STREAM, (*start, limit))
        return self._rows(_BY_STREAM, (*start, len(prefix), prefix, limit))

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
            raise self._error(f"cannot be read: {error}", self._advice.damaged) from None

    def head(self) -> int:
        """See `Source.head`."""
        self._reopen_if_in_use()
        return int(self._query("SELECT coalesce(max(rowid), 0) FROM stored_events")[0][0])

    def size(self) -> int:
        """See `Source.size`."""
        files = (self._path, _beside(self._path, "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextmanager
    def moment(self) -> Iterator[None]:
        """See `Source.moment`."""
        before = self._state()
        self._query("BEGIN")
        self._in_moment = True
        try:
            yield
            if self._is_immutable and self._state() != before:
                raise self._error("was opened by a system meanwhile", "repeat the command")
            self._query("COMMIT")
        finally:
            self._in_moment = False

    def _state(self) -> list[tuple[int, int]]:
        """What changes when something writes to the file or to its write-ahead log."""
        files = (self._path, _beside(self._path, "-wal"))
        found = [file.stat() for file in files if file.exists()]
        return [(status.st_size, status.st_mtime_ns) for status in found if status.st_size]

    def copy_to(self, path: Path) -> None:
        """Copy the whole database, as of one moment, into the new file *path*; raises `LogError`."""
        if self._connection is None:
            raise self._error("is closed", "open it again")
        try:
            with closing(sqlite3.connect(path)) as copy:
                self._connection.backup(copy)
        except sqlite3.Error as error:
            advice = "choose another new file, or take another copy"
            raise self._error(f"cannot be copied to {path}: {error}", advice) from None

    def _reopen_if_in_use(self) -> None:
        """A system may have started, or written, since the file was opened as one that nobody writes."""
        if self._in_moment:
            return
        started = self._is_immutable and _beside(self._path, "-shm").exists()
        if started or (self._copy is not None and self._state() != self._copied_state):
            self.close()
            self._connect()

    def _rows(self, statement: str, parameters: tuple[object, ...]) -> list[Notification]:
        return [Notification(*_typed(*row)) for row in self._query(statement, parameters)]

    def _query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        if self._connection is None:
            raise self._error("is closed", "open it again")
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._error(f"cannot be read: {error}", self._advice.damaged) from None

    def _error(self, problem: str, advice: str) -> LogError:
        return sqlite_file.file_error(self._path, problem, advice, self._advice)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """See `Source.close`."""
        self._disconnect()
        if self._copy is not None:
            self._copy.close()
            self._copy = None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _needs_writing(error: sqlite3.OperationalError) -> bool:
    """Whether SQLite would have to write beside a file to read it, such as a copy that may not be written."""
    return error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))


def _has_wal(path: Path) -> bool:
    wal = _beside(path, "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _text(stored: bytes) -> str:
    """A text of the database; bytes that are no UTF-8 become characters that no text has."""
    return stored.decode("utf-8", "surrogateescape")


def _typed(position: int, stream: Any, version: Any, topic: Any, state: Any) -> Any:
    """The columns with the types that the system writes; others become values that it never writes."""
    return (
        position,
        stream if isinstance(stream, str) else f"({stream!r})",
        version if isinstance(version, int) else 0,
        topic if isinstance(topic, str) else f"({topic!r})",
        state if isinstance(state, bytes) else f"({state!r})".encode("utf-8", "surrogateescape"),
    )
