"""A log as a file: JSON Lines that can be imported again, or another format; see `export_formats`.

The first line of JSON Lines says what follows, the last line how much it was; so a file that was cut off
is found. Each other line has the columns of one event and, last, its record exactly as it was stored.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Literal, NamedTuple, TextIO

from share_actors.audit.queries import is_chosen
from share_actors.audit.reading.reader import LogReader
from share_actors.audit.sentences import sentence
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.audit.transfer.export_formats import write_cloudevents, write_parquet
from share_actors.events.event_filter import EventFilter
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.log import Notification

Format = Literal["jsonl", "csv", "cloudevents", "parquet"]
FORMAT_NAME = "share-actors-log"
FORMAT_VERSION = 1
RECORD = b',"record":'
CSV_COLUMNS = (
    *("position", "at", "stream", "version", "topic", "user", "project"),
    *("command_id", "event_id", "sentence"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Exported(NamedTuple):
    """How many events were written, and the position up to which the log was read."""

    events: int
    head: int


def export(
    reader: LogReader,
    file: TextIO,
    chosen: EventFilter | None = None,
    form: Format = "jsonl",
    progress: Progress = no_progress,
    origin: str = "share-actors",
) -> Exported:
    """Write the events that match to *file*, in the order of the log; memory does not grow with it.

    Events that are recorded meanwhile are not part of it. *origin*: the name of the log in CloudEvents.
    Raises `LogError` at a damaged row, and `ConfigError` if a package for the format is missing.
    """
    head = reader.head()
    rows = _chosen(reader, chosen or EventFilter(), head, progress)
    match form:
        case "csv":
            events = _write_csv(reader, rows, file)
        case "cloudevents":
            events = write_cloudevents(reader, rows, file, origin)
        case "parquet":
            events = write_parquet(map(reader.decode, rows), file)
        case "jsonl":
            events = _write_lines(reader, rows, file, head, chosen)
    return Exported(events, head)


def _chosen(
    reader: LogReader, chosen: EventFilter, head: int, progress: Progress
) -> Iterator[Notification]:
    for row in reader.rows(upto=head):
        if is_chosen(reader, chosen, row):
            yield row
        if row.position % PROGRESS_EVERY == 0:
            progress(row.position, head)
    progress(head, head)


def _write_lines(
    reader: LogReader,
    rows: Iterator[Notification],
    file: TextIO,
    head: int,
    chosen: EventFilter | None,
) -> int:
    digest, events = sha256(), 0
    whole = chosen is None or chosen == EventFilter()
    first = {"format": FORMAT_NAME, "format_version": FORMAT_VERSION, "complete": whole}
    file.write(json.dumps(first) + "\n")
    for row in rows:
        line = line_of(row, reader.plain(row))
        digest.update(line)
        file.write(line.decode())
        events += 1
    for archived in reader.archived_rows(head) if whole else ():
        line = archived_line(archived)
        digest.update(line)
        file.write(line.decode())
    end = {"end": True, "events": events, "head": head, "sha256": digest.hexdigest()}
    file.write(json.dumps(end) + "\n")
    return events


def archived_line(row: ArchivedRow) -> bytes:
    """The line of the leaf of an archived event; these lines follow those of the events."""
    return json.dumps({"archived": list(row)}).encode() + b"\n"


def line_of(row: Notification, plain: bytes) -> bytes:
    """The line of one event; *plain* is its stored JSON, which stands in the line byte for byte."""
    columns = {
        "position": row.position,
        "stream": row.stream,
        "version": row.version,
        "topic": row.topic,
        "record_sha256": sha256(plain).hexdigest(),
    }
    return json.dumps(columns)[:-1].encode() + RECORD + plain + b"}\n"


def _write_csv(reader: LogReader, rows: Iterator[Notification], file: TextIO) -> int:
    writer, events = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        writer.writerow(map(_cell, _csv_row(reader, row)))
        events += 1
    return events


def _csv_row(reader: LogReader, row: Notification) -> tuple[object, ...]:
    recorded = reader.decode(row)
    who = recorded.envelope
    return (
        *(row.position, who.at.isoformat(), row.stream, row.version, row.topic),
        *(who.user_id, who.project_id, who.command_id, recorded.event_id, sentence(recorded)),
    )


def _cell(value: object) -> object:
    """*value*; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
