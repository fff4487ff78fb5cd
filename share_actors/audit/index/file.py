"""The file of an index: SQLite, with a row for each stream of a share, and where in its log it ends.

It is never a part of the log, and may be deleted at any time: it holds nothing that the log does not. The
states of an encrypted log are encrypted with its key, and names are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from share_actors.audit.reading.reader import LogReader
from share_actors.errors import InvalidRequest

FORMAT = 1
APPLICATION_ID = 0x53484958
"""Distinguishes it from other programs' SQLite files: "SHIX"."""
TABLES = """
    CREATE TABLE meta (document TEXT NOT NULL);
    CREATE TABLE shares (
        stream TEXT PRIMARY KEY, name TEXT, version INTEGER NOT NULL, first REAL NOT NULL,
        last REAL NOT NULL, view BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX by_name ON shares (name);
"""


class Meta(NamedTuple):
    """Of which log an index is, up to its position *head*, and by which version it was made."""

    format: int
    version: str
    """Of share_actors and of the states of shares: another version may come to other states."""
    first: str
    """The digest of the log's first row."""
    head: int
    head_row: str
    """The digest of the row at *head*."""


_META = TypeAdapter(Meta)


def row_digest(reader: LogReader, position: int) -> str:
    """The digest of the stored row at *position*; empty if there is none."""
    for row in reader.rows(position - 1, position) if position else ():
        place = f"{row.position} {row.stream} {row.version} {row.topic} ".encode()
        return sha256(place + row.state).hexdigest()
    return ""


def first_digest(reader: LogReader) -> str:
    """The digest of the first stored row; empty if there is none."""
    first = next(reader.rows(), None)
    return "" if first is None else row_digest(reader, first.position)


def belongs(meta: Meta, reader: LogReader) -> bool:
    """Whether an index is of this log, which may have grown since."""
    if meta.head == 0:  # the log was empty: it may have become any
        return True
    same_start = meta.first == first_digest(reader)
    return same_start and meta.head_row == row_digest(reader, meta.head)


@contextmanager
def connected(path: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """Open the file, which exists; raises `InvalidRequest` if it is no index or damaged, also while used."""
    uri = f"file:{quote(str(path.absolute()))}?mode={'rw' if write else 'ro'}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise index_error(
                path, "is not the index of a log; it was not changed: name another file"
            )
        yield connection
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    finally:
        connection.close()


def read_meta(path: Path, connection: sqlite3.Connection) -> Meta:
    """What the index says about itself."""
    row = connection.execute("SELECT document FROM meta").fetchone()
    try:
        return _META.validate_json("" if row is None else row[0])
    except ValidationError as error:
        raise damaged(path, error) from None


def write_meta(connection: sqlite3.Connection, meta: Meta) -> None:
    """Replace what the index says about itself."""
    connection.execute("DELETE FROM meta")
    connection.execute("INSERT INTO meta VALUES (?)", (_META.dump_json(meta).decode(),))


def damaged(path: Path, error: Exception) -> InvalidRequest:
    """The error for an index that cannot be used."""
    return index_error(
        path,
        f"cannot be used: {str(error).splitlines()[0]}; run `share-actors log index` again, or delete it",
    )


def index_error(path: Path, problem: str) -> InvalidRequest:
    """The error for *path*, the option --index."""
    return InvalidRequest(f"--index: {path} {problem}", field="index", value=str(path))
