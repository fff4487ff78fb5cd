"""Which events a process may write now: those of the format in which the log is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from share_actors.errors import LogError, Refused
from share_actors.events.decider import Event
from share_actors.events.formats import format_of
from share_actors.events.log.codec import Codec

READ_S = 2.0
"""How often a process that holds events back looks whether the log's format was raised by now."""


class FormatGate:
    """The format of one log, as its last record says (*read_records*); the codec writes events in it."""

    def __init__(self, codec: Codec, read_records: Callable[[], Sequence[Event]]) -> None:
        self._codec, self._read_records = codec, read_records
        self._read_at = 0.0

    @property
    def written(self) -> int:
        """The format in which events are written."""
        return self._codec.written_format

    def read(self) -> int:
        """Read in which format the log is written, and write in that from now on.

        Raises `LogTooNew` if this version cannot read it.
        """
        self._codec.written_format = format_of(self._read_records())
        self._read_at = time.monotonic()
        return self.written

    def check(self, event: Event) -> None:
        """Raise `Refused` if *event* is held back until the log is written in a newer format."""
        codec = self._codec
        if codec.written_format == codec.formats.newest:
            return
        is_old = time.monotonic() - self._read_at > READ_S
        try:
            codec.formats.check(event, self.written)
        except Refused:
            is_old = True
        if is_old:  # another process may have raised it by now
            with suppress(LogError):
                self.read()
        codec.formats.check(event, self.written)
