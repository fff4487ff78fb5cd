"""What waits to be recorded, and which of it still follows on what its stream holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventsourcing.persistence import AggregateRecorder, StoredEvent

_REMEMBERED = 50_000
"""Streams whose last version is kept, so that most appends need no look at the log before."""


class Conflict(Exception):
    """Another activation wrote to the stream first; nothing was recorded."""


@dataclass(slots=True, eq=False)
class Append:
    """Rows for one stream, to be recorded after version `expected`, all or none.

    `informed` is the number of the last batch whose outcome the sender could know of.
    """

    stream: str
    expected: int
    rows: Sequence[StoredEvent]
    future: asyncio.Future[Sequence[int]]
    informed: int
    outcome: Sequence[int] | Exception | None = None

    @property
    def last(self) -> int:
        return self.expected + len(self.rows)


class AppendOrder:
    """Refuses what the table's key alone would let in.

    That is an append beyond the end of its stream, and one that was sent on the assumption that an
    earlier one would succeed, when that one did not.
    """

    def __init__(self, recorder: AggregateRecorder) -> None:
        self._recorder = recorder
        self._heads: dict[str, int] = {}
        self._failed: dict[str, tuple[int, int]] = {}
        self._batch = 0

    def next_batch(self, informed: int) -> int:
        """Begin a batch, whose senders all know what came of batch *informed*; returns its number."""
        self._batch += 1
        self._failed = {s: f for s, f in self._failed.items() if f[0] > informed}
        return self._batch

    def admit(self, appends: Iterable[Append]) -> list[Append]:
        """Those of *appends* that may be recorded; the others get their `Conflict`."""
        fit: list[Append] = []
        ahead: dict[str, int] = {}
        for append in appends:
            reason = self._objection(append, ahead.get(append.stream))
            if reason is None:
                fit.append(append)
                ahead[append.stream] = append.last
            else:
                self.failed(append, Conflict(f"{append.stream}: {reason}"))
        return fit

    def _objection(self, append: Append, ahead: int | None) -> str | None:
        batch, version = self._failed.get(append.stream, (0, 0))
        if append.informed < batch and append.expected > version:
            return f"an append after version {version}, which this one follows, was not recorded"
        if append.expected in (0, ahead) or append.expected == self._heads.get(append.stream):
            return None
        head = self._read_head(append.stream)
        if append.expected > max(head, ahead or 0):
            return f"has {head} events, which cannot be followed by number {append.expected + 1}"
        return None

    def _read_head(self, stream: str) -> int:
        newest = self._recorder.select_events(stream, desc=True, limit=1)
        return newest[0].originator_version if newest else 0

    def recorded(self, append: Append, positions: Sequence[int]) -> None:
        """*append* is durable."""
        append.outcome = positions
        self._heads.pop(append.stream, None)
        self._heads[append.stream] = append.last
        if len(self._heads) > _REMEMBERED:
            del self._heads[next(iter(self._heads))]

    def failed(self, append: Append, error: Exception) -> None:
        """*append* was not recorded; nor may be what its sender sent to follow it."""
        append.outcome = error
        batch, version = self._failed.get(append.stream, (0, append.expected))
        version = min(version, append.expected) if batch == self._batch else append.expected
        self._failed[append.stream] = (self._batch, version)
