"""Writing a reference: the fold of every stream by the present code, for the version that comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay import reference
from share_actors.audit.replay.canonical import Form
from share_actors.audit.replay.fold import Folded, fold_streams
from share_actors.audit.replay.reference import Meta
from share_actors.audit.statistics import Progress, no_progress
from share_actors.events.aggregates import AGGREGATES
from share_actors.values import Frozen


class Written(Frozen):
    """A reference that was written, and how many streams cannot be folded by the code that wrote it."""

    version: str
    streams: int
    events: int
    unreadable: int


def write_reference(
    reader: LogReader, path: Path, version: str, progress: Progress = no_progress
) -> Written:
    """Fold every stream and write the reference of *reader*'s log to the new file *path*.

    *version* is that of share_actors. Raises `InvalidRequest` if the file cannot be written.
    """
    counts = {"streams": 0, "events": 0, "unreadable": 0}

    form = Form()

    def counted() -> Iterator[Folded]:
        for folded in fold_streams(reader, form, progress):
            counts["streams"] += 1
            counts["events"] += folded.events
            counts["unreadable"] += folded.problem is not None
            yield folded

    reference.write(path, lambda: _meta(reader, version, form), counted())
    return Written(version=version, **counts)


def _meta(reader: LogReader, version: str, form: Form) -> Meta:
    head = reader.head()
    return Meta(
        format=reference.FORMAT,
        version=version,
        written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        first_id=first_id(reader),
        head=head,
        head_id=id_at(reader, head),
        initial={kind: form.initial_values(module.initial) for kind, module in AGGREGATES.items()},
        fields=form.fields(),
    )


def first_id(reader: LogReader) -> str:
    """The id of the first event; empty if there is none."""
    return next((reader.decode(row).event_id for row in reader.rows()), "")


def id_at(reader: LogReader, position: int) -> str:
    """The id of the event at *position*; empty if there is none."""
    rows = reader.rows(position - 1, position) if position else ()
    return next((reader.decode(row).event_id for row in rows), "")
