"""Questions to an index: the times of each share's stream, and its last state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from share_actors.audit.index import file
from share_actors.audit.index.build import changed_streams, versions
from share_actors.audit.reading.reader import LogReader
from share_actors.values import Share

_EACH = "SELECT stream, first, last, view FROM shares ORDER BY stream"
_WITHIN = "SELECT stream FROM shares WHERE last > ? AND first <= ? ORDER BY stream"


class Indexed:
    """The index of a log that may have grown since: the *changed* streams are to be read from the log."""

    def __init__(
        self, reader: LogReader, path: Path, connection: sqlite3.Connection, changed: set[str]
    ) -> None:
        self._reader, self._path, self._connection = reader, path, connection
        self.changed = changed
        self.has_names = not reader.is_encrypted

    def shares_at(self, at: datetime) -> Iterator[tuple[str, Share | None]]:
        """Every stream that may have events by *at*, by name; with its state if nothing came after *at*."""
        moment = at.timestamp()
        for stream, first, last, view in self._connection.execute(_EACH):
            if stream in self.changed or first > moment:
                continue
            yield stream, self._share(view) if last <= moment else None

    def _share(self, view: bytes) -> Share:
        try:
            return Share.model_validate_json(self._reader.unseal(view))
        except Exception as error:  # also of a cipher
            raise file.damaged(self._path, error) from None

    def streams_within(self, start: datetime, end: datetime) -> Iterator[str]:
        """The streams that may have events after *start* and up to *end*, besides the changed ones."""
        times = (start.timestamp(), end.timestamp())
        for (stream,) in self._connection.execute(_WITHIN, times):
            if stream not in self.changed:
                yield stream

    def named(self, name: str) -> list[str]:
        """The streams of the shares with this name, besides the changed ones."""
        query = "SELECT stream FROM shares WHERE name = ? ORDER BY stream"
        found = self._connection.execute(query, (name,))
        return [stream for (stream,) in found if stream not in self.changed]


@contextmanager
def open_index(reader: LogReader, path: Path, version: str) -> Iterator[Indexed]:
    """Open the index of *reader*'s log at *path*; *version* is that of share_actors.

    Raises `InvalidRequest` if it is no index of this log, or of another version.
    """
    if not path.is_file():
        raise file.index_error(path, "is not a file: `share-actors log index` makes one")
    with file.connected(path, write=False) as connection:
        meta = file.read_meta(path, connection)
        if (meta.format, meta.version) != (file.FORMAT, versions(version)):
            raise file.index_error(
                path, f"was made by version {meta.version}: run `share-actors log index` again"
            )
        if not file.belongs(meta, reader):
            raise file.index_error(path, f"is the index of another log than {reader.where}")
        yield Indexed(reader, path, connection, changed_streams(reader, meta.head, reader.head()))
