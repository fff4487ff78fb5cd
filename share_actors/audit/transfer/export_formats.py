"""Exports by other projects' packages, which are optional: CloudEvents, and Parquet for tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from pydantic_core import from_json

from share_actors.audit.sentences import sentence
from share_actors.events.log.infrastructure import require
from share_actors.events.topics import topic_of

if TYPE_CHECKING:
    from share_actors.audit.reading.reader import LogReader
    from share_actors.events.envelope import Recorded
    from share_actors.events.log.log import Notification

_ROW_GROUP = 5_000
"""Events that are in memory at a time."""


# -- CloudEvents ---------------------------------------------------------------------------------
def write_cloudevents(
    reader: LogReader, rows: Iterable[Notification], file: TextIO, origin: str
) -> int:
    """Write a CloudEvent (1.0, JSON) a line; returns how many. *origin*: the name of the log, their source.

    The data is the stored record: the envelope and the event. Raises `ConfigError` without the SDK.
    """
    require("cloudevents.core", "cloudevents", "format is cloudevents")
    from cloudevents.core.formats.json import JSONFormat  # noqa: PLC0415 - an optional package
    from cloudevents.core.v1.event import CloudEvent  # noqa: PLC0415 - an optional package

    form, events = JSONFormat(), 0
    for row in rows:
        record, recorded = from_json(reader.plain(row)), reader.decode(row)
        event = CloudEvent(_attributes(row, recorded, origin), record)
        file.write(form.write(event).decode() + "\n")
        events += 1
    return events


def _attributes(row: Notification, recorded: Recorded, origin: str) -> dict[str, Any]:
    """The attributes; `sequence` is the extension for an order, here the position with leading zeros."""
    return {
        "specversion": "1.0",
        "id": recorded.event_id,
        "source": f"urn:{quote(origin.replace('/', ':', 1), safe=':')}",
        "type": f"share-actors.{row.topic}",
        "subject": row.stream,
        "time": recorded.envelope.at,
        "datacontenttype": "application/json",
        "sequence": f"{row.position:020d}",
    }


# -- Parquet -------------------------------------------------------------------------------------
def write_parquet(events: Iterator[Recorded], file: TextIO) -> int:
    """Write a table with a row an event; returns how many. Raises `ConfigError` without pyarrow."""
    require("pyarrow", "parquet", "format is parquet")
    import pyarrow  # noqa: PLC0415 - an optional package
    from pyarrow import parquet  # noqa: PLC0415 - an optional package

    text, number = pyarrow.string(), pyarrow.int64()
    columns = {"position": number, "at": pyarrow.timestamp("us", "UTC"), "stream": text}
    columns |= {"version": number, "topic": text, "user": text, "project": text}
    columns |= dict.fromkeys(("command_id", "event_id", "sentence", "event"), text)
    schema, count = pyarrow.schema(list(columns.items())), 0
    with parquet.ParquetWriter(file.buffer, schema, compression="zstd") as writer:
        while group := list(islice(events, _ROW_GROUP)):
            rows = [dict(zip(columns, _row(recorded), strict=True)) for recorded in group]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
            count += len(group)
    return count


def _row(recorded: Recorded) -> tuple[object, ...]:
    who, topic = recorded.envelope, topic_of(type(recorded.event))
    return (
        *(recorded.position, who.at, recorded.stream, recorded.version, topic),
        *(who.user_id, who.project_id, who.command_id, recorded.event_id, sentence(recorded)),
        recorded.event.model_dump_json(),
    )
