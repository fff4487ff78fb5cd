"""Removed events compared with the records of archives: what is missing without a record is a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from share_actors.audit.proofs.findings import Finding
from share_actors.errors import LogError
from share_actors.events.archives import STREAM, EventsArchived
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.envelope import Recorded
from share_actors.events.log import Notification
from share_actors.events.log.archived_rows import ArchivedRow

Decode = Callable[[Notification], Recorded]


class _Removed(NamedTuple):
    """The removed events of one archive: the first of them, and a digest over all."""

    first: Leaf
    digest: Any
    events: list[int]


class ArchiveRecords:
    """Takes the rows of a log one by one; without *decode* the records are not read."""

    def __init__(self, decode: Decode | None) -> None:
        self._decode = decode
        self._removed: dict[int, _Removed] = {}
        self._records: dict[int, Notification] = {}
        self._streams: set[str] = set()

    def take(self, row: Notification | ArchivedRow, leaf: Leaf) -> None:
        """Take the next row."""
        if isinstance(row, ArchivedRow):
            removed = self._removed.setdefault(row.archive, _Removed(leaf, sha256(), []))
            removed.digest.update(leaf.encode() + b"\n")
            removed.events.append(leaf.position)
            self._streams.add(leaf.stream)
        elif row.stream == STREAM and row.topic == EventsArchived.topic:
            self._records[row.position] = row

    def begins_again(self, leaf: Leaf) -> bool:
        """Whether *leaf* may be the first event of a stream whose earlier events are archived."""
        return leaf.version == 1 and leaf.stream in self._streams

    def findings(self) -> Iterator[Finding]:
        """A finding for each archive whose removed events are not those of its record."""
        for position, removed in self._removed.items():
            problem = self._problem(position, removed)
            if problem is not None:
                yield Finding("not_archived", *removed.first[:3], problem)

    def _problem(self, position: int, removed: _Removed) -> str | None:
        count = len(removed.events)
        if position not in self._records:
            return f"{count} events from here on are gone, and no archive is recorded at position {position}"
        record = self._record(position)
        if record is None:
            return None
        if (count, removed.digest.hexdigest()) != (record.events, record.leaves_sha256):
            return (
                f"{count} events from here on are gone, and they are not the {record.events} that are"
                f" archived in {record.file}, as recorded at position {position}"
            )
        return None

    def _record(self, position: int) -> EventsArchived | None:
        """The record at *position*; None if it cannot be read."""
        try:
            event = self._decode(self._records[position]).event if self._decode else None
        except LogError:
            return None
        return event if isinstance(event, EventsArchived) else None

    def notes(self) -> Iterator[str]:
        """What is not verified: the contents of archives, and records that cannot be read."""
        for position, row in self._records.items():
            record, is_removed = self._record(position), position in self._removed
            if record is None:
                yield f"the archive recorded at position {row.position}: its record cannot be read"
            elif is_removed:
                yield (
                    f"the contents of {record.events} archived events, which are in {record.file}"
                    f" (SHA-256 {record.file_sha256}): verify that file by --log"
                )
            else:
                yield (
                    f"the archive {record.file}: its {record.events} events were not removed from the log;"
                    " repeat `log archive` with the same file to do so"
                )
