"""The event log: append, read, follow. This module and its siblings alone know `eventsourcing`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import uuid4

from eventsourcing.persistence import ApplicationRecorder

from share_actors.config import Config, LogSettings
from share_actors.errors import ConfigError, LogError, ShareActorsError
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log.codec import Codec
from share_actors.events.log.group_commit import GroupCommit
from share_actors.events.log.infrastructure import LogStore, open_sqlite
from share_actors.events.log.postgres import open_postgres
from share_actors.events.log.state_snapshots import StateSnapshots

T = TypeVar("T")
GroupCommitFactory = Callable[[ApplicationRecorder, Callable[[Exception], str]], GroupCommit]


class Notification(NamedTuple):
    """A row of the log as it is stored; `Log.decode` reads it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class Log:
    """Streams of events, and the order of all of them together.

    `append` belongs to an event loop and is durable when it returns; the rest may be called from any
    thread. Close the log to write what is under way and to free its threads and connections.
    """

    def __init__(self, backend: LogStore, group_commit: GroupCommitFactory = GroupCommit) -> None:
        self._backend = backend
        self._writer, self._count = uuid4().hex[:16], count(1)
        factory = backend.factory
        self._recorder = factory.application_recorder()
        self._codec = Codec(factory.cipher(), factory.compressor())
        self._check_key()
        self._committer = group_commit(self._recorder, backend.explain)
        self._snapshots = StateSnapshots(factory.aggregate_recorder("snapshots"), self._codec)

    @classmethod
    def open(cls, settings: LogSettings, path: Path, *, nodes: int = 1, create: bool = True) -> Log:
        """The log that *settings* name; *path* is the file of kind `sqlite`.

        Raises `ConfigError` for settings that cannot work, and `LogError` when the log cannot be
        opened, or when there is none and not *create*; what is there is then as it was.
        """
        if settings.kind == "sqlite" and nodes > 1:
            raise ConfigError(
                f"log.kind sqlite serves one node, and there are {nodes}: use postgresql",
                field="log.kind", value="sqlite",
            )  # fmt: skip
        backend = _backend(settings, path, create=create)
        try:
            return cls(backend)
        except ShareActorsError:
            backend.factory.close()
            raise
        except Exception as error:
            backend.factory.close()
            raise LogError(backend.explain(error)) from error

    def _check_key(self) -> None:
        """Refuse to write under one key beside what was written under another, or under none.

        One event that cannot be read is not the key's fault; the first and the last both are.
        """
        sample = [*self.notifications(0, 1), *self.notifications(max(self.head() - 1, 0), 1)]
        if sample and not any(self._codec.fits(row.state) for row in sample):
            raise LogError(
                "the log's events cannot be deciphered: log.cipher_key is not the one that they"
                " were written with; correct it and start again",
                field="log.cipher_key",
            )

    async def append(
        self, stream: str, expected_version: int, entries: Sequence[tuple[Envelope, Event]]
    ) -> tuple[Recorded, ...]:
        """Record *entries* after *expected_version* of *stream*: all or none, durable on return.

        Raises `Conflict` when the stream is not at that version, `LogError` when it cannot be
        written. A caller that is cancelled does not take its events back.
        """
        if not entries:
            return ()
        recorded, positions = self.submit(stream, expected_version, entries)
        return tuple(
            replace(one, position=position)
            for one, position in zip(recorded, await positions, strict=True)
        )

    def submit(
        self, stream: str, expected_version: int, entries: Sequence[tuple[Envelope, Event]]
    ) -> tuple[tuple[Recorded, ...], asyncio.Future[Sequence[int]]]:
        """`append` without waiting: what will be recorded, and the future of its positions.

        Nothing is durable before the future is done; it raises as `append` does.
        """
        recorded = tuple(
            Recorded(stream, number, f"{self._writer}-{next(self._count):x}", envelope, event)
            for number, (envelope, event) in enumerate(entries, expected_version + 1)
        )
        stored = [
            self._codec.encode(stream, r.version, r.event_id, r.envelope, r.event) for r in recorded
        ]
        return recorded, self._committer.submit(stream, expected_version, stored)

    def read(self, stream: str, after: int = 0, upto: int | None = None) -> list[Recorded]:
        """The events of *stream* with versions beyond *after* and up to *upto*."""
        rows = self._ask(lambda: self._recorder.select_events(stream, gt=after, lte=upto))
        return [self._codec.decode(row) for row in rows]

    def notifications(self, after: int, limit: int) -> Sequence[Notification]:
        """At most *limit* rows after position *after*, in the order in which they were recorded."""
        rows = self._ask(
            lambda: self._recorder.select_notifications(after, limit, inclusive_of_start=False)
        )
        return [
            Notification(r.id, str(r.originator_id), r.originator_version, r.topic, r.state)
            for r in rows
        ]

    def decode(self, raw: Notification) -> Recorded:
        """The event in *raw*; raises `LogTooNew` or `LogError`, which name it."""
        position, stream, version, topic, state = raw
        return self._codec.decode_row(stream, version, topic, state, position)

    def head(self) -> int:
        """The position of the last event; 0 when there is none."""
        return self._ask(self._recorder.max_notification_id) or 0

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except Exception as error:
            raise LogError(self._backend.explain(error)) from error

    @property
    def snapshot_failures(self) -> int:
        """State snapshots that could not be written since the log was opened."""
        return self._snapshots.failures

    def save_snapshot(self, stream: str, version: int, kind: str, state: bytes) -> None:
        """Keep *state* in the background; never waits, never raises: a snapshot is a cache."""
        self._snapshots.save(stream, version, kind, state)

    def load_snapshot(self, stream: str) -> tuple[int, str, bytes] | None:
        """Version, kind and state of the newest snapshot; None when there is none to be had."""
        return self._snapshots.load(stream)

    def stop_writing(self) -> None:
        """Record what was handed in; from then on every append raises `LogError`, and reads go on."""
        self._committer.close()

    def close(self) -> None:
        """Write what was handed in, and let go of everything; closing again does nothing."""
        self.stop_writing()
        self._snapshots.close()
        self._backend.factory.close()


def _backend(settings: LogSettings, path: Path, *, create: bool) -> LogStore:
    if settings.kind == "sqlite":
        return open_sqlite(settings, path, create=create)
    return open_postgres(settings, create=create)


OpenLog = Callable[[Config, int], Log]
"""Opens the log of a configuration, on a cluster of so many nodes; raises what `Log.open` raises."""


def open_configured(config: Config, nodes: int = 1) -> Log:
    """The log that *config* names; see `Log.open`."""
    return Log.open(config.log, config.log_path, nodes=nodes)
