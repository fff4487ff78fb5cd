"""The fold of every stream of a log by the present code, with a digest of its states after each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay.canonical import Changes, Form
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.errors import LogError
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.log.log import Notification

DIGEST_SIZE = 8
"""Bytes that are kept of each event's digest."""


@dataclass(slots=True)
class Folded:
    """The fold of one stream.

    *chain* has a digest of `DIGEST_SIZE` bytes for each event, of all states up to and including the one
    after it: once two folds of a stream differ, all their later digests differ. *values* are those that
    ever changed, by path, in canonical JSON, as they are at the end. *problem* says why the event after
    the last digest could not be folded.
    """

    stream: str
    chain: bytearray = field(default_factory=bytearray)
    values: dict[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def events(self) -> int:
        """How many events were folded."""
        return len(self.chain) // DIGEST_SIZE


class _Fold:
    """The fold of one stream up to its first event that cannot be folded, which it may not be."""

    def __init__(self, reader: LogReader, stream: str, form: Form) -> None:
        self.folded, self._changes = Folded(stream), form.changes
        aggregate: Any = AGGREGATES.get(stream.partition("-")[0])
        self._decode = reader.decode_event
        if aggregate is None:
            self.folded.problem = f"{stream} is a stream of no kind that this version knows"
            return
        self._evolve: Callable[[Any, Any], Any] = aggregate.evolve
        self._state, self._digest, self._version = aggregate.initial, b"", 0

    def add(self, row: Notification) -> None:
        """Fold the next event; after the first that cannot be folded there is nothing to do."""
        folded = self.folded
        if folded.problem is not None:
            return
        try:
            if row.version != self._version + 1:
                raise LogError(f"version {self._version + 1} is missing")
            state = self._evolve(self._state, self._decode(row))
            self._add_digest(self._changes(self._state, state))
        except LogError as error:
            folded.problem = error.reason
        except Exception as error:  # an event that the code cannot fold is what is looked for
            folded.problem = f"{row.topic} cannot be folded: {type(error).__name__}: {error}"
        else:
            self._state, self._version = state, row.version

    def _add_digest(self, changed: Changes) -> None:
        folded, lines = self.folded, self._digest
        if changed:
            folded.values.update(changed)
            lines += "\n".join(map(" ".join, changed)).encode()
        self._digest = digest = blake2b(lines, digest_size=DIGEST_SIZE).digest()
        folded.chain += digest


def fold_streams(
    reader: LogReader, form: Form, progress: Progress = no_progress
) -> Iterator[Folded]:
    """The fold of every stream, in *form*, stream by stream; memory holds one state and its digests.

    *progress* gets the number of events that are done and that of the log.
    """
    fold, done, total = None, 0, reader.head()
    for row in reader.rows_by_stream(""):
        if fold is None or fold.folded.stream != row.stream:
            if fold is not None:
                yield fold.folded
            fold = _Fold(reader, row.stream, form)
        fold.add(row)
        done += 1
        if done % PROGRESS_EVERY == 0:
            progress(done, total)
    if fold is not None:
        yield fold.folded
    progress(done, done)


def changed_paths(reader: LogReader, form: Form, stream: str, version: int) -> tuple[str, ...]:
    """The paths of the values that the event *version* of a stream changes under the present code."""
    aggregate: Any = AGGREGATES[stream.partition("-")[0]]
    state = before = aggregate.initial
    for row in reader.stream_rows(stream):
        before, state = state, aggregate.evolve(state, reader.decode_event(row))
        if row.version == version:
            break
    return tuple(path for path, _ in form.changes(before, state))
