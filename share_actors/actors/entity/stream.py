"""What an entity remembers: the state and receipts that its stream comes to, and its state snapshots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from share_actors.events.decider import Effect, Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log import Log
from share_actors.events.receipts import Receipts, RecordedRequest
from share_actors.values import Frozen

if TYPE_CHECKING:
    from share_actors.actors.entity.turn import Aggregate

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Frozen)
F = TypeVar("F", bound=Effect)


class EntityStream(Generic[E, S, F]):
    """`state`, `version` and `receipts` of one stream; loaded from it, and moved on by what is appended."""

    def __init__(
        self, stream: str, aggregate: Aggregate[E, S, F], log: Log, snapshot_every: int
    ) -> None:
        self._stream, self._aggregate, self._log = stream, aggregate, log
        self._every, self._saved_at = snapshot_every, 0
        self.last_asked: Envelope | None = None
        """The last client's request in the stream, as far as it was read."""
        self.state: S = aggregate.initial
        self.version = 0
        self.receipts = Receipts()

    @property
    def _kind(self) -> str:
        return f"{self._aggregate.KIND}.state.v{self._aggregate.STATE_VERSION}"

    async def load(self) -> None:
        """Read the newest state snapshot and the events after it; raises `LogError`."""
        state, version, receipts, events = await asyncio.to_thread(self._read)
        self.state, self.version, self.receipts = state, version, receipts
        self._saved_at = version
        for recorded in events:
            self._follow(recorded)
            self.state = self._aggregate.evolve(self.state, _as_any(recorded.event))

    def _read(self) -> tuple[S, int, Receipts, list[Recorded]]:
        state, version, receipts = self._snapshot()
        return state, version, receipts, self._log.read(self._stream, after=version)

    def _snapshot(self) -> tuple[S, int, Receipts]:
        nothing = self._aggregate.initial, 0, Receipts()
        saved = self._log.load_snapshot(self._stream) if self._every else None
        if saved is None or saved[1] != self._kind:
            return nothing
        try:
            held = json.loads(saved[2])
            state = type(self._aggregate.initial).model_validate_json(held["state"])
            return state, saved[0], Receipts.load(held["receipts"].encode())
        except (ValueError, KeyError, ValidationError):
            return nothing  # a snapshot is a cache: the events say the same

    def append(
        self, entries: Sequence[tuple[Envelope, Event]]
    ) -> tuple[tuple[Recorded, ...], asyncio.Future[Sequence[int]]]:
        """Hand *entries* to the log, after what is known; see `Log.submit`."""
        return self._log.submit(self._stream, self.version, entries)

    def adopt(self, state: S, recorded: Sequence[Recorded]) -> None:
        """*recorded* is durable, and *state* is what it leads to."""
        self.state = state
        for item in recorded:
            self._follow(item)
        self.save_if_due()

    def _follow(self, recorded: Recorded) -> None:
        self.version = recorded.version
        self.receipts.record(recorded)
        if recorded.envelope.command_id is not None:
            self.last_asked = recorded.envelope

    def save_if_due(self, *, always: bool = False) -> None:
        """Hand a state snapshot to the log, in the background, once enough events have gathered."""
        behind = self.version - self._saved_at
        if not self._every or behind <= 0 or (behind < self._every and not (always and behind > 9)):
            return
        self._saved_at = self.version
        held = {"state": self.state.model_dump_json(), "receipts": self.receipts.dump().decode()}
        self._log.save_snapshot(self._stream, self.version, self._kind, json.dumps(held).encode())

    async def recall(self, command_id: str) -> RecordedRequest | None:
        """The receipt of a command that may be older than what is remembered: reads the whole stream."""
        known = self.receipts.get(command_id)
        if known is not None or not self.receipts.forgotten:
            return known
        return await asyncio.to_thread(self._search, command_id)

    def _search(self, command_id: str) -> RecordedRequest | None:
        past, found = Receipts(), None
        for recorded in self._log.read(self._stream):
            past.record(recorded)
            found = past.get(command_id) or found  # the fold itself forgets again
        return found


def _as_any(event: Event) -> Any:
    """The codec knows events by topic; that they are this aggregate's is what a stream means."""
    return event
