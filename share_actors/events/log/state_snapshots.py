"""State snapshots: a cache beside the events, written in the background, whose loss costs only time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Condition, Thread

from eventsourcing.persistence import AggregateRecorder, IntegrityError, StoredEvent

from share_actors.events.log.codec import Codec

_logger = logging.getLogger(__name__)
_MAX_WAITING = 10_000

Saved = tuple[int, str, bytes]


class StateSnapshots:
    """The newest state of a stream, by version and kind; `failures` counts what could not be kept."""

    def __init__(self, recorder: AggregateRecorder, codec: Codec) -> None:
        self._recorder, self._codec = recorder, codec
        self.failures = 0
        self._waiting: dict[str, Saved] = {}
        self._wake, self._closed = Condition(), False
        self._thread: Thread | None = None

    def save(self, stream: str, version: int, kind: str, state: bytes) -> None:
        """Keep *state* when there is time; a newer one of the same stream takes its place."""
        with self._wake:
            if self._closed or len(self._waiting) >= _MAX_WAITING:
                self.failures += 1
                return
            self._waiting[stream] = (version, kind, state)
            self._wake.notify()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log-snapshots", daemon=True)
                self._thread.start()

    def load(self, stream: str) -> Saved | None:
        """The newest snapshot of *stream*; None when there is none, or on any trouble."""
        try:
            for row in self._recorder.select_events(stream, desc=True, limit=1):
                return row.originator_version, row.topic, self._codec.unseal(row.state)[1:]
        except Exception as error:
            _logger.warning("the snapshot of %s cannot be read: %s", stream, error)
        return None

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closed)
                taken, self._waiting = self._waiting, {}
            if not taken:
                return
            self._write(taken)

    def _write(self, taken: dict[str, Saved]) -> None:
        try:
            # the brace in front is what the codec knows its own by
            rows = [
                StoredEvent(stream, version, kind, self._codec.seal(b"{" + state))
                for stream, (version, kind, state) in taken.items()
            ]
            self._insert(rows)
        except Exception as error:
            self.failures += len(taken)
            _logger.warning("%d state snapshots could not be written: %s", len(taken), error)

    def _insert(self, rows: Sequence[StoredEvent]) -> None:
        try:
            self._recorder.insert_events(rows)
        except IntegrityError:  # some are there already, from another activation: as good
            if len(rows) > 1:
                self._insert(rows[: len(rows) // 2])
                self._insert(rows[len(rows) // 2 :])
