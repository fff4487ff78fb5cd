"""Logs of given histories, for questions about access: encoded as in a database, and kept in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

from share_actors.audit.reading.reader import LogReader
from share_actors.config import LogSettings
from share_actors.events.backend import BackendUp
from share_actors.events.decider import Event
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.infrastructure import codec_of
from share_actors.events.log.log import Notification
from share_actors.values import Capabilities
from tests.events.share_events import NOON, envelope

Dated = Sequence[tuple[float, Event]]
"""Events of one stream, each with its second after `NOON`."""

GANESHA: Dated = [
    (
        -9,
        BackendUp(
            backend="local",
            wrong={},
            at=NOON,
            capabilities=Capabilities(
                backend_name="local",
                driver_name="BtrfsDriver",
                storage_protocols=("NFS",),
                access_types=("ip",),
            ),
        ),
    )
]
"""What a backend reports whose shares NFS-Ganesha serves."""


def second(number: float) -> datetime:
    """The time *number* seconds after noon."""
    return NOON + timedelta(seconds=number)


class Rows:
    """The rows of a log, as `Source` reads them."""

    where = "memory"

    def __init__(self, streams: Mapping[str, Dated]) -> None:
        stored = {id(history): _encoded(history) for history in streams.values()}
        rows = [
            Notification(0, stream, version, topic, state)
            for stream, history in streams.items()
            for version, (topic, state) in enumerate(stored[id(history)], 1)
        ]
        rows = [row._replace(position=position) for position, row in enumerate(rows, 1)]
        self._rows = rows
        self._by_stream = sorted(rows, key=_place)
        self.fetched = 0
        """How many rows were read by stream."""
        self._streams: dict[str, list[Notification]] = {}
        for row in rows:
            self._streams.setdefault(row.stream, []).append(row)

    def batch(self, after: int, limit: int) -> list[Notification]:
        """See `Source.batch`."""
        return self._rows[after : after + limit]

    def stream(self, name: str, after: int, limit: int) -> list[Notification]:
        """See `Source.stream`."""
        return self._streams.get(name, [])[after : after + limit]

    def by_stream(self, prefix: str, after: tuple[str, int], limit: int) -> list[Notification]:
        """See `Source.by_stream`."""
        start = bisect_right(self._by_stream, max(after, (prefix, 0)), key=_place)
        found = self._by_stream[start : start + limit]
        found = [row for row in found if row.stream.startswith(prefix)]
        self.fetched += len(found)
        return found

    def largest(self, limit: int) -> list[tuple[str, int]]:
        """See `Source.largest`."""
        counts = [(name, len(rows)) for name, rows in self._streams.items()]
        return sorted(counts, key=lambda item: (-item[1], item[0]))[:limit]

    def head(self) -> int:
        """See `Source.head`."""
        return len(self._rows)

    def size(self) -> int:
        """See `Source.size`."""
        return sum(len(row.state) for row in self._rows)

    def archived(self, after: int, limit: int) -> list[ArchivedRow]:
        """See `Source.archived`."""
        return []

    def moment(self) -> AbstractContextManager[None]:
        """See `Source.moment`."""
        return nullcontext()

    def close(self) -> None:
        """See `Source.close`."""


def _encoded(history: Dated) -> list[tuple[str, bytes]]:
    """The topic and the stored form of each event."""
    codec, found = codec_of(LogSettings()), []
    for version, (at, event) in enumerate(history, 1):
        who = envelope("c", user="alice").replace(at=second(at))
        stored = codec.encode("share-s1", version, f"e{version}", who, event)
        found.append((event.topic, stored.state))
    return found


def _place(row: Notification) -> tuple[str, int]:
    return (row.stream, row.version)


def reader_of(streams: Mapping[str, Dated]) -> LogReader:
    """A reader of a log with these streams."""
    return LogReader(Rows(streams), LogSettings())


def reader_of_share(history: Dated, *, driver: Dated = ()) -> LogReader:
    """A reader of a log with the share `s1`, and what its backend `local` reported."""
    return reader_of({"share-s1": history, **({"backend-local": driver} if driver else {})})
