"""The event log: append events to streams, read a stream, and read all events in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import uuid4

from eventsourcing.persistence import ApplicationRecorder, StoredEvent

from share_actors.config import Config, LogSettings
from share_actors.errors import ConfigError, LogError, ShareActorsError
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.formats import STREAM as FORMAT_STREAM
from share_actors.events.log.append_order import Settled
from share_actors.events.log.archived_rows import ArchivedRow, merged
from share_actors.events.log.codec import Codec, DecodeRequest
from share_actors.events.log.format_gate import FormatGate
from share_actors.events.log.group_commit import GroupCommit
from share_actors.events.log.infrastructure import LogStore, Row, open_sqlite
from share_actors.events.log.lease.guarded import GuardedRecorder, LeaseGuard
from share_actors.events.log.partitions import commit_of
from share_actors.events.log.postgres.store import open_postgres
from share_actors.events.log.state_snapshots import StateSnapshots
from share_actors.events.log.subject_keys import record_sealer
from share_actors.events.log.version_reads import VersionReads, last_versions
from share_actors.events.subjects.sealing import RecordSealer
from share_actors.observability.counts import Timer

T = TypeVar("T")
_SAMPLE = 20
"""How many of the last rows are looked at when the log is opened without a key store."""
GroupCommitFactory = Callable[[ApplicationRecorder, Callable[[Exception], str]], GroupCommit]


class Notification(NamedTuple):
    """A row of the log, still encoded; `Log.decode` decodes it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class Log:
    """Streams of events, and the total order of all events.

    `append` runs on an event loop, and its events are durable when it returns; all other methods may be
    called from any thread. `close` writes the submitted events and frees threads and connections.
    """

    def __init__(
        self,
        store: LogStore,
        group_commit: GroupCommitFactory = GroupCommit,
        subjects: RecordSealer | None = None,
    ) -> None:
        self._store, self.subjects = store, subjects
        self._writer, self._count = uuid4().hex[:16], count(1)
        factory = store.factory
        self._recorder = factory.application_recorder()
        self._codec = Codec(factory.cipher(), factory.compressor(), subjects=subjects)
        self._check_key()
        self.format = FormatGate(self._codec, self._format_records)
        self.format.read()
        self._check_subject_keys()
        self._group_commit = commit_of(self._recorder, lambda r: group_commit(r, store.explain))
        self.before_commit(lambda: None)
        self._snapshots = StateSnapshots(factory.aggregate_recorder("snapshots"), self._codec)
        self._version_reads = VersionReads(self._last_versions)
        self._when_closed: Callable[[], None] = lambda: None

    @classmethod
    def open(
        cls,
        settings: LogSettings,
        path: Path,
        *,
        nodes: int = 1,
        create: bool = True,
        subjects: RecordSealer | None = None,
    ) -> Log:
        """Open the log of *settings*; *path* is the file of kind `sqlite`, *nodes* the size of the cluster.

        *subjects* seals and opens personal data; without it, what is sealed reads as `no-key-...`.
        Raises `ConfigError` for settings that cannot work, and `LogError` if the log cannot be opened, or
        is missing and *create* is false. An existing file or schema is then unchanged.
        """
        if settings.kind == "sqlite" and nodes > 1:
            message = f"log.kind sqlite serves one node, and there are {nodes}: use postgresql"
            raise ConfigError(message, field="log.kind", value="sqlite")
        store = _open_store(settings, path, create=create)
        try:
            return cls(store, subjects=subjects)
        except ShareActorsError:
            store.factory.close()
            raise
        except Exception as error:
            store.factory.close()
            raise LogError(store.explain(error)) from error

    def _check_key(self) -> None:
        """Raise `LogError` if the log was written with another key, or with none.

        A single unreadable event may be damaged; if the first and the last are unreadable, the key is wrong.
        """
        sample = [*self.notifications(0, 1), *self.notifications(max(self.head() - 1, 0), 1)]
        if sample and not any(self._codec.fits(row.state) for row in sample):
            raise LogError(
                "the log's events cannot be decrypted: log.cipher_key is not the key that they"
                " were written with; correct it and start again",
                field="log.cipher_key",
            )

    def _check_subject_keys(self) -> None:
        """Raise `LogError` if personal data are to be opened with a key store that is not there."""
        if self.subjects is None or not self.subjects.ring.is_missing or not self.head():
            return
        for row in self.notifications(max(self.head() - _SAMPLE, 0), _SAMPLE):
            if self._codec.fits(row.state):  # a damaged row is told when it is read
                plain = self._codec.unseal(row.state)
                self._codec.opened(row.stream, row.version, row.topic, plain)

    def _format_records(self) -> list[Event]:
        """The last record of the format, if there is one."""
        rows = self._query(lambda: self._recorder.select_events(FORMAT_STREAM, desc=True, limit=1))
        return [self._codec.decode(row).event for row in rows]

    async def append(
        self, stream: str, expected_version: int, entries: Sequence[tuple[Envelope, Event]]
    ) -> tuple[Recorded, ...]:
        """Append *entries* to *stream* after *expected_version*: all or none, durable on return.

        Raises `Conflict` if the stream is not at that version, and `LogError` if the log cannot be
        written. Events are also recorded if the caller is cancelled meanwhile.
        """
        if not entries:
            return ()
        positions: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        recorded = self.submit(stream, expected_version, entries, partial(_settle, positions))
        return tuple(
            replace(item, position=position)
            for item, position in zip(recorded, await positions, strict=True)
        )

    def submit(
        self,
        stream: str,
        expected_version: int,
        entries: Sequence[tuple[Envelope, Event]],
        settled: Settled,
    ) -> tuple[Recorded, ...]:
        """Start to append, and return the events to be recorded.

        Nothing is durable before *settled* is called, with their positions or with what `append` raises.
        """
        recorded = tuple(
            Recorded(stream, number, f"{self._writer}-{next(self._count):x}", envelope, event)
            for number, (envelope, event) in enumerate(entries, expected_version + 1)
        )
        if self.subjects is not None and self.subjects.seals:
            self._submit_sealed(stream, expected_version, recorded, settled)
        else:
            rows = self._encoded(stream, recorded)
            self._group_commit.submit(stream, expected_version, rows, settled)
        return recorded

    def _encoded(
        self, stream: str, recorded: Sequence[Recorded], keys: set[str] | None = None
    ) -> list[StoredEvent]:
        return [
            self._codec.encode(stream, r.version, r.event_id, r.envelope, r.event, keys)
            for r in recorded
        ]

    def _submit_sealed(
        self, stream: str, expected_version: int, recorded: Sequence[Recorded], settled: Settled
    ) -> None:
        """Hold the keys that seal the rows until the rows are durable."""
        assert self.subjects is not None
        holds = self.subjects.holds
        rows, held = holds.sealed(lambda keys: self._encoded(stream, recorded, keys))

        def released(outcome: Sequence[int] | Exception) -> None:
            holds.release(held)
            settled(outcome)

        try:
            self._group_commit.submit(stream, expected_version, rows, released)
        except LogError:
            holds.release(held)
            raise

    def read(self, stream: str, after: int = 0, upto: int | None = None) -> list[Recorded]:
        """Return the events of *stream* with versions greater than *after*, up to and including *upto*.

        Raises `LogError` if a version is missing: the stream was changed from outside.
        """
        rows = self._query(lambda: self._recorder.select_events(stream, gt=after, lte=upto))
        for version, row in enumerate(rows, after + 1):
            if row.originator_version != version:
                raise _missing(stream, version)
        return [self._codec.decode(row) for row in rows]

    def version(self, stream: str) -> int:
        """Return the version of the last event of *stream*; 0 if it has none."""
        return self._last_versions([stream]).get(stream, 0)

    async def confirmed_version(self, stream: str) -> int:
        """Return the same as `version`, read together with those that others ask for at the same time."""
        return await self._version_reads.version(stream)

    def _last_versions(self, streams: Sequence[str]) -> Mapping[str, int]:
        return self._query(lambda: last_versions(self._recorder, streams))

    def notifications(self, after: int, limit: int) -> Sequence[Notification]:
        """Return at most *limit* rows after position *after*, in the order in which they were recorded."""
        return [*map(Notification._make, self.plain_rows(after, limit))]

    def plain_rows(self, after: int, limit: int) -> Sequence[Row]:
        """Like `notifications`, as plain tuples of the same columns, for those who read very many."""
        return self._query(lambda: self._store.rows_after(self._recorder, after, limit))

    def rows(self, after: int, limit: int) -> Sequence[Notification | ArchivedRow]:
        """Like `notifications`, with the leaves of archived events at the positions that they had."""
        return merged(
            self.notifications(after, limit),
            self._query(lambda: self._store.archived(after, limit)),
            limit,
        )

    def decode(self, raw: Notification) -> Recorded:
        """Return the event of *raw*; raises `LogTooNew` or `LogError` with its stream and version."""
        position, stream, version, topic, state = raw
        return self._codec.decode_row(stream, version, topic, state, position)

    @property
    def decode_request(self) -> DecodeRequest:
        """Give the event of a row and the client's request that caused it, in a third of the time."""
        return self._codec.decode_request

    def names_subject(self, raw: Notification, subject_id: str) -> bool:
        """Return whether *raw* has texts that are sealed for a subject."""
        return subject_id.encode() in self._codec.unseal(raw.state)

    def head(self) -> int:
        """Return the position of the last event; 0 if the log is empty."""
        return self._query(self._recorder.max_notification_id) or 0

    def _query(self, query: Callable[[], T]) -> T:
        try:
            return query()
        except Exception as error:
            raise LogError(self._store.explain(error)) from error

    @property
    def commit_times(self) -> Timer:
        """How long each transaction of this process took."""
        return self._group_commit.times

    @property
    def snapshot_failures(self) -> int:
        """The number of state snapshots that could not be written since the log was opened."""
        return self._snapshots.failures

    def save_snapshot(self, stream: str, version: int, kind: str, state: bytes) -> None:
        """Save *state* in the background; neither waits nor raises, since a snapshot is only a cache.

        A state has its texts in clear, so none is saved where subjects can be forgotten.
        """
        if self.subjects is not None and self.subjects.in_use:
            return
        self._snapshots.save(stream, version, kind, state)

    def load_snapshot(self, stream: str) -> tuple[int, str, bytes] | None:
        """Return version, kind and state of the newest snapshot; None if there is no readable one."""
        if self.subjects is not None and self.subjects.in_use:
            return None
        return self._snapshots.load(stream)

    def before_commit(self, check: Callable[[], None]) -> None:
        """Call *check* in the writer's thread before each commit, which its `LogError` refuses."""
        self._group_commit.before_commit = lambda: self._check_before_commit(check)

    def _check_before_commit(self, check: Callable[[], None]) -> None:
        check()
        if self.subjects is not None:  # last: the less time passes, the less a lock can be lost
            self.subjects.holds.check()

    def require_lease(self, guard: LeaseGuard) -> None:
        """Refuse each append whose transaction does not find the lease of *guard* in the log."""
        assert isinstance(self._recorder, GuardedRecorder)
        self._recorder.require_lease(guard)

    def when_closed(self, release: Callable[[], None]) -> None:
        """Have *release* called when the log is closed."""
        self._when_closed = release

    def stop_writing(self) -> None:
        """Write the submitted events; afterwards appends raise `LogError`, and reads still work."""
        self._group_commit.close()

    def close(self) -> None:
        """Write the submitted events, and free threads and connections; closing again does nothing."""
        self.stop_writing()
        self._snapshots.close()
        self._store.factory.close()
        if self.subjects is not None:
            self.subjects.ring.store.close()
        self._when_closed()


def _missing(stream: str, version: int) -> LogError:
    return LogError(
        f"stream {stream}: version {version} is missing, and later ones are there: events were removed from"
        " the log; the stream is not read",
        next_step="Run `share-actors log verify` to see what else is missing; restore the log.",
    )


def _open_store(settings: LogSettings, path: Path, *, create: bool) -> LogStore:
    if settings.kind == "sqlite":
        return open_sqlite(settings, path, create=create)
    return open_postgres(settings, create=create)


OpenLog = Callable[[Config, int], Log]
"""Opens the log of a configuration on a cluster of so many nodes; raises what `Log.open` raises."""


def open_configured(config: Config, nodes: int = 1) -> Log:
    """Open the log of *config*; see `Log.open`."""
    return Log.open(config.log, config.log_path, nodes=nodes, subjects=record_sealer(config))


def _settle(positions: asyncio.Future[Sequence[int]], outcome: Sequence[int] | Exception) -> None:
    if positions.done():
        return  # the caller was cancelled; the events stay recorded
    if isinstance(outcome, Exception):
        positions.set_exception(outcome)
    else:
        positions.set_result(outcome)
