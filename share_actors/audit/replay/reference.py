"""The reference of a replay: the digests of every stream, in a file that one version writes for the next.

A SQLite file of its own: `streams` has, for each stream, the digest after each of its events (see `fold`) and
checksums of the values at its end; `meta` says of which log it is and who wrote it. It holds names of
streams and of fields, and no values. It appears under its name when it is complete.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple
from urllib.parse import quote
from zlib import crc32

from pydantic import TypeAdapter, ValidationError

from share_actors.audit.replay.fold import Folded
from share_actors.errors import InvalidRequest

FORMAT = 1
"""Grows when the digests of one state change, or the file's tables do."""
APPLICATION_ID = 0x53485246
"""Distinguishes it from other programs' SQLite files: "SHRF"."""
_TABLES = """
    CREATE TABLE meta (document TEXT NOT NULL);
    CREATE TABLE streams (
        stream TEXT PRIMARY KEY, chain BLOB NOT NULL, fields TEXT NOT NULL, problem TEXT
    ) WITHOUT ROWID;
"""


class Meta(NamedTuple):
    """What a reference is of: *head* is the last position of its log."""

    format: int
    version: str
    """The version of share_actors that wrote it."""
    written_at: str
    first_id: str
    """The id of the log's first event; empty if it has none."""
    head: int
    head_id: str
    initial: dict[str, dict[str, str]]
    """By kind of entity: the values of its initial state, in canonical JSON."""
    fields: dict[str, list[str]]
    """The fields that counted: those of each model of the states, by the model's name."""


class Stored(NamedTuple):
    """The fold of one stream as the reference has it; *fields* are checksums by path."""

    chain: bytes
    fields: dict[str, int]
    problem: str | None


_META = TypeAdapter(Meta)
_COMPACT = json.JSONEncoder(separators=(",", ":"))


def checksums(folded: Folded) -> dict[str, int]:
    """The checksums of the values at the end of a stream, by path."""
    return {path: crc32(value.encode()) for path, value in sorted(folded.values.items())}


def write(path: Path, meta: Callable[[], Meta], streams: Iterable[Folded]) -> None:
    """Write a reference to *path*, which must not exist; *meta* is called after the last of *streams*.

    Raises `InvalidRequest`, and leaves nothing then.
    """
    if os.path.lexists(path):
        raise _error(path, "exists; it was not changed: choose a new name", "write")
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:80]}.") as file:
            with closing(sqlite3.connect(file.name, isolation_level=None)) as connection:
                _fill(connection, meta, streams)
            os.fsync(file.fileno())
            os.link(file.name, path)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise _error(path, f"cannot be written: {error}", "write") from None


def _fill(
    connection: sqlite3.Connection, meta: Callable[[], Meta], streams: Iterable[Folded]
) -> None:
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA page_size=1024")
    connection.executescript(_TABLES)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO streams VALUES (?, ?, ?, ?)", map(_row, streams))
    connection.execute("INSERT INTO meta VALUES (?)", (_META.dump_json(meta()).decode(),))
    connection.execute("COMMIT")


def _row(folded: Folded) -> tuple[str, bytes, str, str | None]:
    fields = _COMPACT.encode(checksums(folded))
    return folded.stream, bytes(folded.chain), fields, folded.problem


class Reference:
    """An open reference; its methods raise `InvalidRequest` if the file is damaged."""

    def __init__(self, path: Path, connection: sqlite3.Connection, meta: Meta) -> None:
        self._path, self._connection, self.meta = path, connection, meta

    def get(self, stream: str) -> Stored | None:
        """What it has of *stream*; None if it has nothing."""
        query = "SELECT chain, fields, problem FROM streams WHERE stream = ?"
        try:
            row = self._connection.execute(query, (stream,)).fetchone()
            return None if row is None else Stored(row[0], json.loads(row[1]), row[2])
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise _damaged(self._path, error) from None

    def count(self) -> int:
        """How many streams it has."""
        try:
            row = self._connection.execute("SELECT count(*) FROM streams").fetchone()
        except sqlite3.Error as error:
            raise _damaged(self._path, error) from None
        return int(row[0])

    def streams(self) -> Iterator[tuple[str, int]]:
        """All streams, and how many bytes their chains have."""
        try:
            yield from self._connection.execute("SELECT stream, length(chain) FROM streams")
        except sqlite3.Error as error:
            raise _damaged(self._path, error) from None


@contextmanager
def opened_reference(path: Path) -> Iterator[Reference]:
    """Open the reference at *path*; raises `InvalidRequest` if it is none, or of a newer format."""
    if not path.is_file():
        raise _error(path, "is not a file: name one that `log replay --write` wrote")
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            meta = _meta(path, connection)
            if meta.format != FORMAT:
                raise _error(path, _other_format(meta))
            yield Reference(path, connection, meta)
    except sqlite3.Error as error:
        raise _damaged(path, error) from None


def _meta(path: Path, connection: sqlite3.Connection) -> Meta:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise _error(path, "is not a reference: name one that `log replay --write` wrote")
    row = connection.execute("SELECT document FROM meta").fetchone()
    try:
        format_, version = json.loads(row[0])[:2]
        if type(format_) is int and format_ > FORMAT:  # its other entries may be of other types
            return Meta(format_, str(version), "", "", 0, "", {}, {})
        return _META.validate_json(row[0])
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, error) from None


def _other_format(meta: Meta) -> str:
    newer = meta.format > FORMAT
    return (
        f"has format {meta.format}, written by share_actors {meta.version}; this version reads format"
        f" {FORMAT}: {'check with a version as new as that' if newer else 'write it again'}"
    )


def _damaged(path: Path, error: Exception) -> InvalidRequest:
    return _error(path, f"is damaged: {str(error).splitlines()[0]}; write it again")


def _error(path: Path, problem: str, field: str = "check") -> InvalidRequest:
    return InvalidRequest(f"--{field}: {path} {problem}", field=field, value=str(path))
