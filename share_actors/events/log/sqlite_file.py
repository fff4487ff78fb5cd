"""The SQLite log's file: made whole or not at all, and looked at before it is opened."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from eventsourcing.persistence import PersistenceError

from share_actors.errors import LogError

APPLICATION_ID = 0x53484C47
"""Tells our file from another program's SQLite file: "SHLG"."""
MAGIC = b"SQLite format 3\x00"


def uri(path: Path) -> str:
    """How SQLite opens *path* without ever creating it."""
    return f"file:{quote(str(path.absolute()))}?mode=rw"


def refusal(path: Path, what: str, advice: str) -> LogError:
    """The error for a file that is no log, or not one that can be used."""
    return LogError(f"log.path {path}: {what}; {advice}", field="log.path", value=str(path))


def prepare(path: Path, fill: Callable[[Path], None], *, create: bool) -> None:
    """See that *path* is a log; if there is none, make one with the tables that *fill* puts in.

    Raises `LogError`, and leaves untouched what is there.
    """
    try:
        if not path.exists():
            if not create:
                raise refusal(path, "there is no such file", "start the system once, or correct it")
            _create(path, fill)
        _check(path)
    except OSError as error:
        advice = "see that this user may read and write it"
        raise refusal(path, error.strerror or str(error), advice) from None
    except (PersistenceError, sqlite3.Error) as error:
        raise refusal(path, f"cannot be made: {error}", "see that its disk has room") from None


def _create(path: Path, fill: Callable[[Path], None]) -> None:
    """Whoever links a finished file first has made the log; the others use that one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        new = Path(scratch) / "new.db"
        new.touch(mode=0o600)
        fill(new)
        with closing(sqlite3.connect(uri(new), uri=True)) as connection:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        _sync(new)
        if not path.exists():
            _link(new, path)
    _sync(path.parent)


def _link(new: Path, path: Path) -> None:
    with suppress(FileExistsError):
        os.link(new, path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: Path) -> None:
    if path.is_dir():
        raise refusal(path, "is a directory", "name a file in it")
    advice = "restore the log from its backup, or name another file"
    with path.open("r+b") as file:  # for writing too, to see that this is permitted
        header = file.read(100)
    if not header:
        raise refusal(path, "is empty, but a log never is: it was truncated", advice)
    if header[:16] != MAGIC[: len(header)]:
        raise refusal(path, "is not a database", "name the log's own file, or a new one")
    if len(header) < 100 or (_is_short(path, header) and _is_short(path, header)):
        raise refusal(path, "is truncated: it is shorter than its header says", advice)
    found = int.from_bytes(header[68:72], "big")
    if found != APPLICATION_ID:
        raise refusal(
            path,
            f"is the database of another application (id {found:#x})",
            "name the log's own file, or a new one",
        )


def _is_short(path: Path, header: bytes) -> bool:
    """Whether pages are missing that are not in a write-ahead log either; asked twice, for a log
    that is being moved into the file at this moment."""
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    expected = page_size * int.from_bytes(header[28:32], "big")
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size < expected and not (wal.exists() and wal.stat().st_size)
