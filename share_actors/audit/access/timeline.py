"""The events of each share that change access, with the time from which each counts; and backends' orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from pydantic_core import from_json

from share_actors.audit.access import snapshot_fold
from share_actors.audit.access.fold import TOPICS, AccessFold
from share_actors.audit.access.snapshot_fold import SnapshotFold
from share_actors.audit.access.values import Order
from share_actors.audit.reading.reader import LogReader
from share_actors.events import share
from share_actors.events.backend import BackendChanged, BackendUp
from share_actors.events.envelope import Recorded
from share_actors.events.log.log import Notification
from share_actors.events.share.snapshot.access import SnapshotAccessAllowed
from share_actors.values import ShareSpec

Step = tuple[Recorded, datetime]
"""An event, and the time from which it counts."""
_TOPICS = TOPICS | snapshot_fold.TOPICS
_LONGEST_PREFIX = {("BtrfsDriver", "NFS"), ("btrfs-servers", "NFS")}
"""Drivers, by the name that they report, and protocols: NFS-Ganesha compares the longest prefix first."""


class Timeline(NamedTuple):
    """The events of a share that change the access to it, or to one of its snapshots, in the log's order."""

    share_id: str
    steps: list[Step]
    snapshot_id: str | None = None

    def fold(self) -> AccessFold:
        """A new fold for these events."""
        return AccessFold() if self.snapshot_id is None else SnapshotFold(self.snapshot_id)


def timelines(reader: LogReader, stream: str | None = None) -> Iterator[Timeline]:
    """The timeline of each share, or of the one of *stream*, by id, then those of its snapshots with rules.

    Memory holds those of one share.
    """
    if stream is not None:
        rows = list(reader.stream_rows(stream))
        if rows:
            yield from _timelines(reader, rows)
        return
    by_stream = groupby(reader.rows_by_stream(f"{share.KIND}-"), key=lambda row: row.stream)
    for _, group in by_stream:
        yield from _timelines(reader, list(group))


def _timelines(reader: LogReader, rows: list[Notification]) -> Iterator[Timeline]:
    of_share = _timeline(reader, rows)
    yield of_share
    allowed = (
        recorded.event.snapshot_id
        for recorded, _ in of_share.steps
        if isinstance(recorded.event, SnapshotAccessAllowed)
    )
    for snapshot_id in dict.fromkeys(allowed):
        yield of_share._replace(snapshot_id=snapshot_id)


def _timeline(reader: LogReader, rows: list[Notification]) -> Timeline:
    """Decode what changes access. Times are taken from the end, so that the log's order is theirs too."""
    steps: list[Step] = []
    earliest: datetime | None = None
    for row in reversed(rows):
        recorded = reader.decode(row) if row.topic in _TOPICS else None
        at = _time(reader, row) if recorded is None else recorded.envelope.at
        earliest = at if earliest is None else min(at, earliest)
        if recorded is not None:
            steps.append((recorded, earliest))
    return Timeline(rows[0].stream.partition("-")[2], steps[::-1])


def _time(reader: LogReader, row: Notification) -> datetime:
    plain = reader.plain(row)
    try:
        return datetime.fromisoformat(from_json(plain)["envelope"]["at"])
    except (ValueError, KeyError, TypeError):
        return reader.decode(row).envelope.at  # or it raises the error that names what is damaged


class LogTimes(NamedTuple):
    """When the first and the last event of a log were recorded."""

    first: datetime
    last: datetime


def log_times(reader: LogReader) -> LogTimes | None:
    """The times of the first and the last event; None if the log is empty."""
    first = next(iter(reader.rows()), None)
    head = reader.head()
    last = next(iter(reader.rows(head - 1, head)), first)
    if first is None or last is None:
        return None
    return LogTimes(_time(reader, first), _time(reader, last))


class Orders:
    """How each backend chooses among rules, by the driver that it last reported. Read when first asked."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._drivers: dict[str, str | None] = {}

    def of(self, spec: ShareSpec, access_type: str) -> Order:
        """The order of the backend of *spec* for rules of *access_type*."""
        if access_type != "ip":
            return "exact name"
        driver = self._driver(spec.backend)
        return "longest prefix" if (driver, spec.share_proto) in _LONGEST_PREFIX else "unknown"

    def _driver(self, backend: str) -> str | None:
        if backend not in self._drivers:
            self._drivers[backend] = None
            for row in self._reader.stream_rows(f"backend-{backend}"):
                if row.topic in (BackendUp.topic, BackendChanged.topic):
                    event = self._reader.decode(row).event
                    assert isinstance(event, BackendUp | BackendChanged)
                    self._drivers[backend] = event.capabilities.driver_name
        return self._drivers[backend]


def of_share(timeline: Timeline, fold: AccessFold) -> dict[str, Any]:
    """The fields of `OfShare`."""
    spec = fold.share
    return {
        "share_id": timeline.share_id,
        "snapshot_id": timeline.snapshot_id,
        "share_name": spec.name,
        "project_id": spec.project_id,
        "backend": spec.backend,
        "share_proto": spec.share_proto,
    }
