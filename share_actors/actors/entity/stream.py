"""The stream of one entity: the state and receipts that its events lead to, and its state snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from share_actors.errors import LogTooNew, Outdated
from share_actors.events.aggregates import address_of
from share_actors.events.decider import Effect, Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log import Log, Settled
from share_actors.events.receipts import Key, Receipts, RecordedRequest
from share_actors.policy import Caller
from share_actors.values import Frozen
from share_actors.versions import VERSION

if TYPE_CHECKING:
    from share_actors.actors.entity.turn import Aggregate

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Frozen)
F = TypeVar("F", bound=Effect)
MIN_EVENTS_TO_SNAPSHOT = 10
"""A passivated entity with fewer events since its last state snapshot gets no other."""
MAX_TRACES = 64
"""How many traces of requests an activation keeps."""
BYTES_AN_EVENT = 1_000
"""How many bytes of state snapshots are written for each event of a stream, at most."""


class EntityStream(Generic[E, S, F]):
    """`state`, `version` and `receipts` of one stream: loaded, then advanced with each append."""

    def __init__(
        self, stream: str, aggregate: Aggregate[E, S, F], log: Log, snapshot_every: int
    ) -> None:
        self.name, self._aggregate, self._log = stream, aggregate, log
        self._snapshot_every, self._snapshot_version = snapshot_every, 0
        self._snapshot_size = 0
        self.last_request: Envelope | None = None
        """The envelope of the last client request, among the events that were read."""
        self.state: S = aggregate.initial
        self.version = 0
        self.receipts = Receipts()
        self._old = _OldReceipts(stream, log)
        self.traces: dict[Key, str] = {}
        """What the last requests that were sent with a trace, or began one, are continued from."""

    @property
    def _snapshot_kind(self) -> str:
        return f"{self._aggregate.KIND}.state.v{self._aggregate.STATE_VERSION}"

    async def load(self) -> None:
        """Read the newest state snapshot and the events after it.

        Raises `LogError`, and `Outdated` if a newer version of the program wrote one of them.
        """
        with _reading(self.name):
            state, version, receipts, events = await asyncio.to_thread(self._read)
        self.state, self.version, self.receipts = state, version, receipts
        self._snapshot_version = version
        for recorded in events:
            self._count(recorded)
            self.state = self._aggregate.evolve(self.state, _as_any(recorded.event))
        self.receipts.take_settled()  # nobody waits for them yet

    def _read(self) -> tuple[S, int, Receipts, list[Recorded]]:
        state, version, receipts = self._read_snapshot()
        return state, version, receipts, self._log.read(self.name, after=version)

    def _read_snapshot(self) -> tuple[S, int, Receipts]:
        empty = self._aggregate.initial, 0, Receipts()
        snapshot = self._log.load_snapshot(self.name) if self._snapshot_every else None
        if snapshot is None or snapshot[1] != self._snapshot_kind:
            return empty
        try:
            state_text, receipts = _parts(snapshot[2])
            state = type(self._aggregate.initial).model_validate_json(state_text)
            loaded = state, snapshot[0], Receipts.load(receipts)
        except (ValueError, ValidationError):
            return empty  # a state snapshot is a cache: the events lead to the same
        self._snapshot_size = len(snapshot[2])
        return loaded

    def keep_trace(self, key: Key, traceparent: str) -> None:
        """Keep what a request is continued from: that of its first try, and of the last requests only."""
        if (
            self.traces.setdefault(key, traceparent) is traceparent
            and len(self.traces) > MAX_TRACES
        ):
            del self.traces[next(iter(self.traces))]

    async def is_current(self) -> bool:
        """Whether the log has no later event than this stream; raises `LogError`."""
        return await self._log.confirmed_version(self.name) == self.version

    def append(
        self, entries: Sequence[tuple[Envelope, Event]], settled: Settled
    ) -> tuple[Recorded, ...]:
        """Hand *entries* to the log, to follow the present version; see `Log.submit`."""
        return self._log.submit(self.name, self.version, entries, settled)

    def check_writable(self, events: Sequence[Event]) -> None:
        """Raise `Refused` if one of *events* is held back until an upgrade is finished."""
        for event in events:
            self._log.format.check(event)

    def advance(self, state: S, recorded: Sequence[Recorded]) -> None:
        """Take in *recorded* events, which are durable and lead to *state*."""
        self.state = state
        for item in recorded:
            self._count(item)
        self.save_if_due()

    def _count(self, recorded: Recorded) -> None:
        self.version = recorded.version
        self.receipts.record(recorded)
        if recorded.envelope.command_id is not None:
            self.last_request = recorded.envelope

    def save_if_due(self, *, passivating: bool = False) -> None:
        """Hand a state snapshot to the log, in the background, once enough events have gathered."""
        events = self.version - self._snapshot_version
        if not self._snapshot_every or events < self._events_to_snapshot(passivating):
            return
        self._snapshot_version = self.version
        state, receipts = self.state.model_dump_json().encode(), self.receipts.dump()
        content = b"%d\n%b%b" % (len(state), state, receipts)
        self._snapshot_size = len(content)
        self._log.save_snapshot(self.name, self.version, self._snapshot_kind, content)

    def _events_to_snapshot(self, passivating: bool) -> int:
        """How many events make the next state snapshot due: more after a large one, for its cost."""
        if passivating:
            fewest = min(self._snapshot_every, MIN_EVENTS_TO_SNAPSHOT)
            return max(fewest, self._snapshot_size // (10 * BYTES_AN_EVENT))
        return max(self._snapshot_every, self._snapshot_size // BYTES_AN_EVENT)

    async def find_receipt(
        self, command_id: str, project_id: str | None = None
    ) -> RecordedRequest | None:
        """The receipt of a command of a project (None: of any).

        Reads the stream if the command may be older than memory; once for any number of commands.
        """
        receipt = self.receipts.get(command_id, project_id)
        if receipt is not None or not self.receipts.forgotten:
            return receipt
        with _reading(self.name):
            return await asyncio.to_thread(self._old.find, command_id, project_id)

    async def receipt_for(self, caller: Caller | None, command_id: str) -> RecordedRequest | None:
        """The receipt of a command of the caller's project (None: of any).

        The system's administrator gets that of another project if its own sent none with this id.
        """
        project_id = None if caller is None else caller.project_id
        receipt = await self.find_receipt(command_id, project_id)
        if receipt is None and caller is not None and caller.is_system_admin:
            return await self.find_receipt(command_id)
        return receipt


@contextmanager
def _reading(stream: str) -> Iterator[None]:
    """Raise `Outdated` in place of `LogTooNew`: a process of a newer version can read the *stream*."""
    try:
        yield
    except LogTooNew as error:
        raise Outdated(
            f"this process runs share_actors {VERSION}, which cannot read an event of a newer version:"
            f" {error.reason}",
            field="id",
            value=address_of(stream),
            version=VERSION,
            needs=error.reason,
        ) from error


class _OldReceipts:
    """An index of all receipts of a stream, made when the first of them is looked for and continued then."""

    def __init__(self, stream: str, log: Log) -> None:
        self._stream, self._log = stream, log
        self._receipts, self._upto = Receipts(keep=None), 0
        self._lock = Lock()

    def find(self, command_id: str, project_id: str | None) -> RecordedRequest | None:
        """The receipt of a command of a project (None: of any); raises `LogError`."""
        with self._lock:
            for recorded in self._log.read(self._stream, after=self._upto):
                self._receipts.record(recorded)
                self._upto = recorded.version
            self._receipts.take_settled()
            return self._receipts.get(command_id, project_id)


def _parts(content: bytes) -> tuple[bytes, bytes]:
    """The state and the receipts in a state snapshot; raises ValueError if it is damaged."""
    length, _, parts = content.partition(b"\n")
    return parts[: int(length)], parts[int(length) :]


def _as_any(event: Event) -> Any:
    """The codec finds events by topic; a stream has only its own aggregate's."""
    return event
