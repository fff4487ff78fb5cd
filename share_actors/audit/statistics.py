"""How a stored log grew: its events by kind and by day, and its largest streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime

from pydantic_core import from_json

from share_actors.audit.reading.reader import LogReader
from share_actors.events.log.log import Notification
from share_actors.values import Frozen

Progress = Callable[[int, int], object]
"""Called now and then with the position that is done, and the last one."""
PROGRESS_EVERY = 5_000


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


class Day(Frozen):
    """The events that are dated on one day, in UTC, and the bytes of their stored states."""

    day: date
    events: int
    bytes: int


class LargeStream(Frozen):
    """One of the streams with the most events."""

    stream: str
    events: int


class LogStatistics(Frozen):
    """The figures of a log up to its `head`; `first` and `last` are the earliest and the latest time."""

    events: int
    head: int
    file_bytes: int
    first: datetime | None
    last: datetime | None
    by_kind: dict[str, int]
    """Events by topic, the most frequent first."""
    by_day: tuple[Day, ...]
    largest_streams: tuple[LargeStream, ...]
    unreadable: int
    """Events whose time cannot be read: encrypted under another key, or damaged."""


def statistics(
    reader: LogReader, largest: int = 10, progress: Progress = no_progress
) -> LogStatistics:
    """Count the events of a log; memory grows with its days and kinds, not with its events."""
    head, counts = reader.head(), _Counts()
    for row in reader.rows(upto=head):
        counts.add(reader, row)
        if row.position % PROGRESS_EVERY == 0:
            progress(row.position, head)
    progress(head, head)
    return LogStatistics(
        events=counts.events,
        head=head,
        file_bytes=reader.size(),
        first=counts.first,
        last=counts.last,
        by_kind=dict(counts.kinds.most_common()),
        by_day=tuple(
            Day(day=day, events=number, bytes=counts.bytes[day])
            for day, number in sorted(counts.days.items())
        ),
        largest_streams=tuple(
            LargeStream(stream=stream, events=number)
            for stream, number in reader.largest_streams(largest)
        ),
        unreadable=counts.unreadable,
    )


class _Counts:
    def __init__(self) -> None:
        self.events = self.unreadable = 0
        self.kinds: Counter[str] = Counter()
        self.days: Counter[date] = Counter()
        self.bytes: Counter[date] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, reader: LogReader, row: Notification) -> None:
        self.events += 1
        self.kinds[row.topic] += 1
        try:
            text = from_json(reader.plain(row))["envelope"]["at"]
            at = datetime.fromisoformat(text).astimezone(UTC)
        except Exception:  # counted and named: figures of a damaged log are worth having
            self.unreadable += 1
            return
        self.days[at.date()] += 1
        self.bytes[at.date()] += len(row.state)
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
