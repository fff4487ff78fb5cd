"""An export (JSON Lines) read back into an empty log: ids, positions and times are kept, and all is verified.

Everything is written in one transaction, which is committed only after the last line was checked. A log
that is encrypted or compressed by its settings stores the same records so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.audit.transfer.export import (
    FORMAT_NAME,
    FORMAT_VERSION,
    RECORD,
    Exported,
    archived_line,
    line_of,
)
from share_actors.audit.transfer.import_target import Target, open_target
from share_actors.audit.transfer.new_log import new_log
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest, LogError, shown
from share_actors.events.log import Log
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.codec import Codec
from share_actors.events.log.infrastructure import codec_of
from share_actors.events.log.log import Notification
from share_actors.scratch import clear_beside

_KEPT = "; nothing was imported"
_COLUMNS = {"position": int, "stream": str, "version": int, "topic": str, "record_sha256": str}
_ARCHIVED = [int, str, int, str, str, int]
_PLAIN = Codec()
Row = tuple[Notification, bytes]


def import_log(
    lines: Iterable[bytes],
    settings: LogSettings,
    path: Path,
    progress: Progress = no_progress,
) -> Exported:
    """Write an export into the log of *settings*, which is created or is empty; *path* is a SQLite file.

    Raises `InvalidRequest` for a file that is no complete export, naming the line, and `LogError` if the
    log is not empty or cannot be written. Nothing is imported then.
    """
    export = _Export(lines)
    export.read_header()
    if settings.kind == "sqlite" and not path.exists():
        with new_log(path, "log.path") as new:
            _fill(export, settings, new, progress)
    else:
        if settings.kind == "sqlite":
            clear_beside(path)
        _fill(export, settings, path, progress)
    return Exported(export.events, export.head)


def _fill(export: _Export, settings: LogSettings, path: Path, progress: Progress) -> None:
    with closing(Log.open(settings, path)) as log:
        if log.head():
            raise LogError(
                f"the log holds {log.head()} events already: an export is imported into an empty one"
                f"{_KEPT}; choose another log.path or log.schema_name",
                field="log.path" if settings.kind == "sqlite" else "log.schema_name",
            )
    codec = codec_of(settings)
    with open_target(settings, path) as target:
        for item in export.rows():
            if isinstance(item, ArchivedRow):
                target.insert_archived(item)
                continue
            row, plain = item
            _check_readable(row, plain, export.number)
            target.insert(row._replace(state=codec.seal(plain)))
            if row.position % PROGRESS_EVERY == 0:
                progress(row.position, 0)
        _check_gaps(target)
        target.commit()


def _check_readable(row: Notification, plain: bytes, number: int) -> None:
    try:
        _PLAIN.decode_row(row.stream, row.version, row.topic, plain, row.position)
    except LogError as error:
        raise type(error)(
            f"line {number}: {error.reason}{_KEPT}", field="line", value=number
        ) from None


def _check_gaps(target: Target) -> None:
    if (stream := target.stream_with_gap()) is not None:
        raise InvalidRequest(
            f"stream {stream} has a gap in its versions, or does not begin at 1{_KEPT}",
            field="stream",
            value=stream,
        )


class _Export:
    """The lines of an export, each checked; `number` is that of the last line that was read, from 1."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines, self.number = iter(lines), 0
        self._digest = sha256()
        self.events = self.head = 0
        self._position = 0

    def read_header(self) -> None:
        """Check the first line."""
        first = self._json(next(self._lines, b""), 1)
        if first.get("format") != FORMAT_NAME:
            raise self._error(f"is not the beginning of an export of a log ({FORMAT_NAME})", 1)
        if first.get("format_version") != FORMAT_VERSION:
            raise self._error(
                f"has format_version {shown(first.get('format_version'))}, and this version reads"
                f" {FORMAT_VERSION}: upgrade share_actors",
                1,
            )
        if first.get("complete") is not True:
            raise self._error("says that the export is a part of a log: export without filters", 1)
        self.number = 1

    def rows(self) -> Iterator[Row | ArchivedRow]:
        """Each event of the export, then the leaves of archived ones; raises `InvalidRequest`."""
        for line in self._lines:
            self.number += 1
            if not line.endswith(b"\n"):
                raise self._error("has no end: the file was cut off; export it again")
            if line.startswith(b'{"end"'):
                self._check_end(self._json(line))
                return
            yield self._archived(line) if line.startswith(b'{"archived"') else self._row(line)
        raise self._error(
            f"is the last one, and the line that ends an export is missing: the file was cut off after"
            f" {self.events} events; export it again"
        )

    def _row(self, line: bytes) -> Row:
        columns, separator, rest = line.partition(RECORD)
        plain = rest[:-2]
        fields = self._json(columns + b"}")
        if not separator or any(type(fields.get(k)) is not t for k, t in _COLUMNS.items()):
            raise self._error(f"is not an event with the columns {', '.join(_COLUMNS)} and record")
        row = Notification(
            fields["position"], fields["stream"], fields["version"], fields["topic"], b""
        )
        if sha256(plain).hexdigest() != fields["record_sha256"] or line_of(row, plain) != line:
            raise self._error("was changed: its record does not have the recorded record_sha256")
        if not self._position < row.position < 2**63:
            raise self._error(f"has position {row.position}, after position {self._position}")
        self._position = row.position
        self._digest.update(line)
        self.events += 1
        return row, plain

    def _archived(self, line: bytes) -> ArchivedRow:
        columns = self._json(line).get("archived")
        is_row = isinstance(columns, list) and [*map(type, columns)] == _ARCHIVED
        row = ArchivedRow(*columns) if is_row and isinstance(columns, list) else None
        if row is None or archived_line(row) != line:
            raise self._error("is not the leaf of an archived event")
        self._digest.update(line)
        return row

    def _check_end(self, end: dict[str, Any]) -> None:
        if end.get("events") != self.events or end.get("sha256") != self._digest.hexdigest():
            raise self._error(
                f"says that the export has {shown(end.get('events'))} events, and these are not the"
                f" {self.events} before it: lines were removed, added or changed"
            )
        self.head = self._position
        if next(self._lines, None) is not None:
            raise self._error("is the end of the export, and more follows: two files were joined?")

    def _json(self, text: bytes, number: int | None = None) -> dict[str, Any]:
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._error("is not a JSON object", number)
        return document

    def _error(self, problem: str, number: int | None = None) -> InvalidRequest:
        number = self.number if number is None else number
        return InvalidRequest(f"line {number} {problem}{_KEPT}", field="line", value=number)
