"""The events of an archive, read like those of a log: unpacked into a private database, which is removed."""

from __future__ import annotations

import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from share_actors.audit.reading.reader_sqlite import SQLiteSource
from share_actors.errors import LogError
from share_actors.events.checkpoints.check_archive import header_of, lines_of
from share_actors.events.checkpoints.check_bundle import BadProof
from share_actors.events.log.sqlite import file as sqlite_file
from share_actors.scratch import Scratch

_TABLE = (
    "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, topic TEXT, state BLOB,"
    " PRIMARY KEY (originator_id, originator_version))"
)
_INSERT = (
    "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state)"
    " VALUES (?, ?, ?, ?, ?)"
)


class ArchiveSource(SQLiteSource):
    """The events in the archive at *path*, unproven; raises `LogError` if it is damaged or none."""

    def __init__(self, path: Path) -> None:
        self._unpacked = Scratch("archive")
        unpacked = self._unpacked.path / "log.db"
        try:
            _unpack(path, unpacked)
            super().__init__(unpacked)
        except BaseException:
            self._unpacked.close()
            raise
        self.where = str(path)
        self._packed = path

    def size(self) -> int:
        """The bytes of the archive."""
        return self._packed.stat().st_size

    def close(self) -> None:
        """See `Source.close`."""
        super().close()
        self._unpacked.close()


def _unpack(path: Path, into: Path) -> None:
    try:
        with closing(sqlite3.connect(into)) as connection, connection:
            connection.execute(f"PRAGMA application_id={sqlite_file.APPLICATION_ID}")
            connection.execute(_TABLE)
            connection.executemany(_INSERT, _rows(path))
    except (OSError, BadProof, sqlite3.Error, KeyError, TypeError, ValueError) as error:
        raise LogError(
            f"{path}: cannot be read as an archive of a log: {error}; take another copy of the file",
            field="log",
            value=str(path),
        ) from None


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    lines = lines_of(path)
    header_of(lines)
    for item in lines:
        if item.get("end"):
            return
        columns = (item[name] for name in ("position", "stream", "version", "topic"))
        yield (*columns, b64decode(item["state"], validate=True))
    raise BadProof("it was cut off: its end is missing")
