"""State snapshots: cached states of streams, written in the background; losing them costs only time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Condition, Thread

from eventsourcing.persistence import AggregateRecorder, IntegrityError, StoredEvent

from share_actors.events.log.codec import Codec

_logger = logging.getLogger(__name__)
_MAX_WAITING = 10_000
"""Further snapshots are dropped."""

StateSnapshot = tuple[int, str, bytes]
"""Version, kind and state."""


class StateSnapshots:
    """The newest state snapshot of each stream; `failures` counts those that could not be written."""

    def __init__(self, recorder: AggregateRecorder, codec: Codec) -> None:
        self._recorder, self._codec = recorder, codec
        self.failures = 0
        self._waiting: dict[str, StateSnapshot] = {}
        self._wake, self._closed = Condition(), False
        self._thread: Thread | None = None

    def save(self, stream: str, version: int, kind: str, state: bytes) -> None:
        """Queue *state* to be written; a newer one of the same stream replaces it in the queue."""
        with self._wake:
            if self._closed or len(self._waiting) >= _MAX_WAITING:
                self.failures += 1
                return
            self._waiting[stream] = (version, kind, state)
            self._wake.notify()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log-snapshots", daemon=True)
                self._thread.start()

    def load(self, stream: str) -> StateSnapshot | None:
        """Return the newest snapshot of *stream*; None if there is none, or on any error."""
        try:
            for row in self._recorder.select_events(stream, desc=True, limit=1):
                return row.originator_version, row.topic, self._codec.unseal(row.state)[1:]
        except Exception as error:
            _logger.warning("the snapshot of %s cannot be read: %s", stream, error)
        return None

    def close(self) -> None:
        """Write all queued snapshots, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closed)
                batch, self._waiting = self._waiting, {}
            if not batch:
                return
            self._write(batch)

    def _write(self, batch: dict[str, StateSnapshot]) -> None:
        try:
            # The brace in front is the mark by which the codec recognizes plain text.
            rows = [
                StoredEvent(stream, version, kind, self._codec.seal(b"{" + state))
                for stream, (version, kind, state) in batch.items()
            ]
            self._insert(rows)
        except Exception as error:
            self.failures += len(batch)
            _logger.warning("%d state snapshots could not be written: %s", len(batch), error)

    def _insert(self, rows: Sequence[StoredEvent]) -> None:
        try:
            self._recorder.insert_events(rows)
        except IntegrityError:  # another activation has written some of them, which is as good
            if len(rows) > 1:
                self._insert(rows[: len(rows) // 2])
                self._insert(rows[len(rows) // 2 :])
