"""Which streams may be archived: those of shares, servers and networks that were deleted long enough ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.events import share, share_network, share_server
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.decider import replay
from share_actors.events.log.log import Notification

_KINDS = (share.KIND, share_server.KIND, share_network.KIND)
_DELETED = "deleted"


class Selection(NamedTuple):
    """The streams to be archived, with their numbers of events, and how many bytes these have."""

    until: datetime
    streams: dict[str, int]
    bytes: int

    @property
    def events(self) -> int:
        """The number of events of all streams."""
        return sum(self.streams.values())


def select(reader: LogReader, until: datetime, progress: Progress = no_progress) -> Selection:
    """The streams of deleted entities whose last event is dated before *until*.

    An entity that still owes an effect is left out. Memory holds the names of the streams, and the events
    of one. Raises `LogError` at an event that cannot be read.
    """
    streams: dict[str, int] = {}
    size = done = 0
    for kind in _KINDS:
        for stream, rows in _by_stream(reader, kind):
            done += len(rows)
            if done % PROGRESS_EVERY < len(rows):
                progress(done, 0)
            if _is_old(reader, kind, rows, until):
                streams[stream] = len(rows)
                size += sum(len(row.state) for row in rows)
    return Selection(until, streams, size)


def _by_stream(reader: LogReader, kind: str) -> Iterator[tuple[str, list[Notification]]]:
    rows = reader.rows_by_stream(f"{kind}-")
    for stream, group in groupby(rows, key=lambda row: row.stream):
        yield stream, list(group)


def _is_old(reader: LogReader, kind: str, rows: list[Notification], until: datetime) -> bool:
    if not any(row.topic.endswith(f".{_DELETED}") for row in rows):
        return False
    history = [reader.decode(row) for row in rows]
    if max(recorded.envelope.at for recorded in history) >= until:
        return False
    aggregate: Any = AGGREGATES[kind]
    state = replay(aggregate, [recorded.event for recorded in history])
    return aggregate.view(state).status == _DELETED and aggregate.pending(state) is None
