"""The file of an SQLite log: created atomically, and checked before it is opened."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from eventsourcing.persistence import PersistenceError

from share_actors.errors import LogError

APPLICATION_ID = 0x53484C47
"""Distinguishes our file from other programs' SQLite files: "SHLG"."""
MAGIC = b"SQLite format 3\x00"


class Advice(NamedTuple):
    """How messages about a file name it, and what they advise."""

    name: str
    missing: str
    directory: str
    damaged: str
    foreign: str
    """The file is something else."""
    denied: str
    field: str = "log.path"


_OPENED = Advice(
    name="log.path ",
    missing="start the system once, or correct the path",
    directory="choose a file in it",
    damaged="restore the log from its backup, or choose another file",
    foreign="choose the log's own file, or a new one",
    denied="check that this user may read and write it",
)
READ = _OPENED._replace(
    missing="start the system once, or correct log.path",
    directory="correct log.path: name the file in it",
    damaged="restore the log from its backup",
    foreign="correct log.path: name the file of the log",
    denied="check that this user may read it",
)
"""For the log of the configuration, which is only read."""
NAMED = Advice(
    name="",
    missing="correct the name",
    directory="name the file in it",
    damaged="copy the log again, together with its -wal file if it has one",
    foreign="name the file of a log, or an archive of one",
    denied="check that this user may read it",
    field="log",
)
"""For a log that an option or a caller names, and that is only read."""


def uri(path: Path) -> str:
    """Return the URI by which SQLite opens *path* without creating it."""
    return f"file:{quote(str(path.absolute()))}?mode=rw"


def file_error(path: Path, problem: str, advice: str, given: Advice = _OPENED) -> LogError:
    """Build the error for a file that is not a usable log; *given* says how it was named."""
    return LogError(f"{given.name}{path}: {problem}; {advice}", field=given.field, value=str(path))


def prepare(path: Path, fill: Callable[[Path], None], *, create: bool) -> None:
    """Check that *path* is a log; if it is missing and *create* is true, create one with *fill*.

    Raises `LogError` and leaves an existing file unchanged.
    """
    try:
        if not path.exists():
            if not create:
                raise file_error(path, "the file does not exist", _OPENED.missing)
            _create(path, fill)
        _check(path, _OPENED)
    except OSError as error:
        raise file_error(path, error.strerror or str(error), _OPENED.denied) from None
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


def check_readable(path: Path, advice: Advice) -> None:
    """Check that *path* is a log, without write permission; raises `LogError` with *advice*."""
    try:
        if not path.exists():
            raise file_error(path, "the file does not exist", advice.missing, advice)
        _check(path, advice, "rb")
    except OSError as error:
        raise file_error(path, error.strerror or str(error), advice.denied, advice) from None


def _check(path: Path, advice: Advice, mode: Literal["rb", "r+b"] = "r+b") -> None:
    """Raise `LogError` if *path* is not a log; *mode* `r+b` also checks the permission to write."""
    if path.is_dir():
        raise file_error(path, "is a directory", advice.directory, advice)
    with path.open(mode) as file:
        header = file.read(100)
    if not header:
        raise file_error(path, "is empty, so it was truncated", advice.damaged, advice)
    if header[:16] != MAGIC[: len(header)]:
        raise file_error(path, "is not a database", advice.foreign, advice)
    if len(header) < 100 or (_is_short(path, header) and _is_short(path, header)):
        problem = "is truncated: shorter than the size in its header"
        raise file_error(path, problem, advice.damaged, advice)
    application_id = int.from_bytes(header[68:72], "big")
    if application_id != APPLICATION_ID:
        problem = f"is the database of another application (id {application_id:#x})"
        raise file_error(path, problem, advice.foreign, advice)


def _is_short(path: Path, header: bytes) -> bool:
    """Return whether pages are missing that are not in the write-ahead log either.

    Called twice, since a checkpoint may be moving the write-ahead log into the file at the same time.
    """
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    expected = page_size * int.from_bytes(header[28:32], "big")
    wal = path.with_name(path.name + "-wal")
    return path.stat().st_size < expected and not (wal.exists() and wal.stat().st_size)
