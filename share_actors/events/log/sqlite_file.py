"""The file of an SQLite log: created atomically, and checked before it is opened."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from eventsourcing.persistence import PersistenceError

from share_actors.errors import LogError

APPLICATION_ID = 0x53484C47
"""Distinguishes our file from other programs' SQLite files: "SHLG"."""
MAGIC = b"SQLite format 3\x00"


def uri(path: Path) -> str:
    """Return the URI by which SQLite opens *path* without creating it."""
    return f"file:{quote(str(path.absolute()))}?mode=rw"


def file_error(path: Path, problem: str, advice: str) -> LogError:
    """Build the error for a file that is not a usable log."""
    return LogError(f"log.path {path}: {problem}; {advice}", field="log.path", value=str(path))


def prepare(path: Path, fill: Callable[[Path], None], *, create: bool) -> None:
    """Check that *path* is a log; if it is missing and *create* is true, create one with *fill*.

    Raises `LogError` and leaves an existing file unchanged.
    """
    try:
        if not path.exists():
            if not create:
                raise file_error(
                    path, "the file does not exist", "start the system once, or correct the path"
                )
            _create(path, fill)
        _check(path)
    except OSError as error:
        advice = "check that this user may read and write it"
        raise file_error(path, error.strerror or str(error), advice) from None
    except (PersistenceError, sqlite3.Error) as error:
        raise file_error(
            path, f"cannot be created: {error}", "check that its disk has room"
        ) from None


def _create(path: Path, fill: Callable[[Path], None]) -> None:
    """Create the file elsewhere and link it to *path*; the first of several processes succeeds."""
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


def check_readable(path: Path) -> None:
    """Check that *path* is a log, without write permission; raises `LogError`."""
    if not path.exists():
        raise file_error(path, "the file does not exist", "correct the path")
    try:
        _check(path, "rb")
    except OSError as error:
        raise file_error(
            path, error.strerror or str(error), "check that this user may read it"
        ) from None


def _check(path: Path, mode: Literal["rb", "r+b"] = "r+b") -> None:
    """Raise `LogError` if *path* is no log; *mode* `r+b` also checks the permission to write."""
    if path.is_dir():
        raise file_error(path, "is a directory", "choose a file in it")
    advice = "restore the log from its backup, or choose another file"
    with path.open(mode) as file:
        header = file.read(100)
    if not header:
        raise file_error(path, "is empty, so it was truncated", advice)
    if header[:16] != MAGIC[: len(header)]:
        raise file_error(path, "is not a database", "choose the log's own file, or a new one")
    if len(header) < 100 or (_is_short(path, header) and _is_short(path, header)):
        raise file_error(path, "is truncated: shorter than the size in its header", advice)
    application_id = int.from_bytes(header[68:72], "big")
    if application_id != APPLICATION_ID:
        raise file_error(
            path,
            f"is the database of another application (id {application_id:#x})",
            "choose the log's own file, or a new one",
        )


def _is_short(path: Path, header: bytes) -> bool:
    """Return whether pages are missing that are not in the write-ahead log either.

    Called twice, since a checkpoint may be moving the write-ahead log into the file at the same time.
    """
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    expected = page_size * int.from_bytes(header[28:32], "big")
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size < expected and not (wal.exists() and wal.stat().st_size)
