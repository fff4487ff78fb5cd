"""Appends that wait to be recorded, and the check that each continues its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eventsourcing.persistence import AggregateRecorder, StoredEvent

_MAX_HEADS = 50_000
"""How many streams' last versions stay in memory, so that most appends need no read before the write."""


Settled = Callable[[Sequence[int] | Exception], None]


class Conflict(Exception):
    """Another activation wrote to the stream first; nothing was recorded."""


@dataclass(slots=True, eq=False)
class Append:
    """Rows to append to one stream after version `expected`, all or none.

    `settled` gets the outcome on `loop`: the positions of the rows, or an error.
    `informed` is the number of the last batch whose outcome was delivered before the sender submitted.
    """

    stream: str
    expected: int
    rows: Sequence[StoredEvent]
    settled: Settled
    loop: asyncio.AbstractEventLoop
    informed: int
    outcome: Sequence[int] | Exception | None = None

    @property
    def last(self) -> int:
        """The version of the stream after this append."""
        return self.expected + len(self.rows)


class AppendOrder:
    """Rejects appends that the unique key of the table would accept.

    These are an append that would leave a gap in its stream, and one that was submitted before its sender
    knew that the preceding append had failed.
    """

    def __init__(self, recorder: AggregateRecorder) -> None:
        self._recorder = recorder
        self._heads: dict[str, int] = {}
        self._failed: dict[str, tuple[int, int]] = {}
        self._batch = 0

    def next_batch(self, informed: int) -> int:
        """Start a batch and return its number; all its senders know the outcomes up to batch *informed*."""
        self._batch += 1
        self._failed = {s: f for s, f in self._failed.items() if f[0] > informed}
        return self._batch

    def admit(self, appends: Iterable[Append]) -> list[Append]:
        """Return the *appends* that may be recorded; set a `Conflict` as the outcome of the others."""
        admitted: list[Append] = []
        ahead: dict[str, int] = {}
        for append in appends:
            reason = self._objection(append, ahead.get(append.stream))
            if reason is None:
                admitted.append(append)
                ahead[append.stream] = append.last
            else:
                self.failed(append, Conflict(f"{append.stream}: {reason}"))
        return admitted

    def _objection(self, append: Append, ahead: int | None) -> str | None:
        batch, version = self._failed.get(append.stream, (0, 0))
        if append.informed < batch and append.expected > version:
            return f"the preceding append, after version {version}, failed"
        if append.expected in (0, ahead) or append.expected == self._heads.get(append.stream):
            return None
        head = self._read_head(append.stream)
        if append.expected > max(head, ahead or 0):
            return f"has {head} events, so its next version is not {append.expected + 1}"
        return None

    def _read_head(self, stream: str) -> int:
        newest = self._recorder.select_events(stream, desc=True, limit=1)
        return newest[0].originator_version if newest else 0

    def recorded(self, append: Append, positions: Sequence[int]) -> None:
        """Set the outcome of *append*, which is durable."""
        append.outcome = positions
        self._heads.pop(append.stream, None)
        self._heads[append.stream] = append.last
        if len(self._heads) > _MAX_HEADS:
            del self._heads[next(iter(self._heads))]

    def failed(self, append: Append, error: Exception) -> None:
        """Set the error of *append*; later appends that depend on it fail too."""
        append.outcome = error
        batch, version = self._failed.get(append.stream, (0, append.expected))
        version = min(version, append.expected) if batch == self._batch else append.expected
        self._failed[append.stream] = (self._batch, version)
