"""Giving the pages of removed events back to the file system, a few at a time; each step is durable alone.

Nothing more than the write-ahead log of a step is needed on the disk, and a kill leaves the rest for later.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from share_actors.audit.statistics import Progress, no_progress
from share_actors.errors import LogError
from share_actors.events.log.sqlite import file as sqlite_file

STEP_PAGES = 1_000
_TIMEOUT_S = 30.0
_INCREMENTAL = 2


def shrink(path: Path, progress: Progress = no_progress) -> int | None:
    """Give the empty pages of the log at *path* back; returns how many bytes.

    None for a file of an earlier version, which has no map of its pages and cannot become smaller. Raises
    `LogError` if the file cannot be written; no event is lost then.
    """
    try:
        connection = sqlite3.connect(
            sqlite_file.uri(path), uri=True, isolation_level=None, timeout=_TIMEOUT_S
        )
        with closing(connection):
            if _number(connection, "auto_vacuum") != _INCREMENTAL:
                return None
            return _give_back(connection, progress)
    except sqlite3.Error as error:
        raise LogError(
            f"{path}: the space of the removed events was not given back: {error}; the events are archived,"
            " and the log is whole; repeat the command with the same file"
        ) from None


def _give_back(connection: sqlite3.Connection, progress: Progress) -> int:
    pages, total = _number(connection, "page_count"), _number(connection, "freelist_count")
    left = total
    while left:
        connection.execute(f"PRAGMA incremental_vacuum({STEP_PAGES})").fetchall()
        before, left = left, _number(connection, "freelist_count")
        progress(total - left, total)
        if left >= before:
            break
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return (pages - _number(connection, "page_count")) * _number(connection, "page_size")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
