"""The projection that keeps the catalog up to date: it applies the log in batches from a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

from pydantic import ValidationError

from share_actors.errors import LogError
from share_actors.events import share
from share_actors.events.aggregates import AGGREGATES, address_of, kind_of, stream_of
from share_actors.events.catalog import rule_rows, sql
from share_actors.events.catalog.fold import (
    INITIAL,
    Changes,
    Fold,
    Parked,
    evolver,
    park_stream,
)
from share_actors.events.catalog.rows import EntityState
from share_actors.events.catalog.store import Checkpoint, Store
from share_actors.events.envelope import Recorded
from share_actors.events.log import Log
from share_actors.events.share import ShareState
from share_actors.values import AsOf

logger = logging.getLogger(__name__)
BATCH_SIZE = 3_000
"""Events a transaction."""
MAX_STATES = 5_000
"""States that stay in memory, so that a busy share is not read again for every batch."""
_PAGE_SIZE = 500


class Projection:
    """Applies the log to a catalog; of several processes on one catalog, one applies each batch."""

    def __init__(self, log: Log, store: Store) -> None:
        self._log, self._store, self._lock = log, store, RLock()
        self._fold = Fold(log, self._states, MAX_STATES)
        self._checkpoint = Checkpoint(0, "")
        self._parked: dict[str, Parked] = {}
        self._is_caught_up = False
        self._behind: AsOf | None = None
        self.events_applied = 0
        """Since it was opened."""

    @contextmanager
    def caught_up(self, most: int | None = None) -> Iterator[None]:
        """Apply the log once for all queries in the block, which then do not read it again.

        If that is more than *most* events, none is applied: queries about one entity read the rest of its
        stream, and the others answer as of the checkpoint.
        """
        with self._lock:
            as_of = self.as_of()
            too_far = most is not None and as_of.head - as_of.applied > most
            self._behind = as_of if too_far else None
            if self._behind is None:
                self._apply(as_of.head)
            self._is_caught_up = True
            try:
                yield
            finally:
                self._is_caught_up, self._behind = False, None

    @property
    def is_behind(self) -> bool:
        """Whether the queries in a `caught_up` block are as of the checkpoint."""
        return self._behind is not None

    def as_of(self) -> AsOf:
        """Return how far the catalog is, and where the log ends."""
        with self._lock:
            head = self._log.head()
            self._read_checkpoint(head)
            return AsOf(self._checkpoint.position, head)

    def catch_up(self, limit: int | None = None) -> int:
        """Apply the events after the checkpoint, at most *limit*; return how many were applied."""
        with self._lock:
            return 0 if self._is_caught_up else self._apply(self.as_of().head, limit)

    def _apply(self, head: int, limit: int | None = None) -> int:
        """Apply the log up to *head*; a catalog that was built beside another then takes its place."""
        applied = 0
        while self._checkpoint.position < head and (limit is None or applied < limit):
            applied += self._apply_batch(
                BATCH_SIZE if limit is None else min(BATCH_SIZE, limit - applied)
            )
        if self._checkpoint.position >= head:
            self._store.exchange()
        return applied

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Clear the catalog and replay the log; return the number of events.

        If it is interrupted, `catch_up` continues it.
        """
        with self._lock:
            self._store.reset()
            head, done = self._log.head(), 0
            self._read_checkpoint(head)
            while self._checkpoint.position < head:
                done += self._apply_batch(BATCH_SIZE)
                if progress is not None:
                    progress(self._checkpoint.position, head)
            self._store.exchange()
        return done

    def restart(self) -> None:
        """Clear the catalog; `catch_up` replays the log into it."""
        with self._lock:
            self._store.reset()

    def compact(self) -> None:
        """Remove from the catalog's files what its rows had before; raises `LogError`. It may be repeated."""
        with self._lock:
            self._store.compact()

    def position(self) -> int:
        """Return the position in the log up to which the catalog is complete."""
        return self._store.checkpoint().position

    def lag(self) -> int:
        """Return how many events the catalog is behind the log."""
        return max(0, self._log.head() - self.position())

    # -- parked streams ----------------------------------------------------------------------------
    def parked(self) -> tuple[Parked, ...]:
        """Return the streams that the catalog does not follow, with the errors."""
        return tuple(Parked(**dict(row)) for row in self._store.rows(sql.Query(sql.PARKED, [])))

    def unpark(self, stream: str) -> bool:
        """Retry a parked stream from its start, as after an upgrade; return whether it succeeded."""
        with self._lock:
            self._read_checkpoint(self._log.head())
            while (parked := self._parked.get(stream)) is not None:
                changes = self._replay(parked)
                if self._commit(changes, upto=self._checkpoint.position):
                    return not changes.parked
        return True

    def _replay(self, parked: Parked) -> Changes:
        address = address_of(parked.stream) or parked.stream
        initial, changes = INITIAL[kind_of(address)], Changes(unparked=(parked.stream,))
        state, version, evolve = initial.state, 0, evolver(address)
        before = dict(self._states([address])).get(address, initial)
        takes_room = kind_of(address) == share.KIND
        try:
            for recorded in self._log.read(parked.stream, upto=parked.last_version):
                event: Any = recorded.event
                earlier, state = state, evolve(state, event)
                version = recorded.version
                envelope = recorded.envelope
                changes.add_command(address, envelope.command_id, envelope.project_id)
                if takes_room and version > before.version:
                    changes.add_room(earlier, state)
        except Exception as error:  # it still fails, perhaps with another error
            still = park_stream(parked.stream, parked.version, parked.position, error)
            return Changes(parked={parked.stream: still.replace(last_version=parked.last_version)})
        changes.before[address] = before
        changes.after[address] = EntityState(state, version, self._checkpoint.position)
        return changes

    # -- inside ------------------------------------------------------------------------------------
    def _read_checkpoint(self, head: int) -> None:
        """Read the checkpoint, which other processes move too."""
        checkpoint = self._store.checkpoint()
        if checkpoint.position > head and checkpoint.position > self._log.head():
            self._store.reset()  # another log has replaced this one, such as a backup
            checkpoint = self._store.checkpoint()
        if checkpoint != self._checkpoint:
            self._fold.forget()
            self._parked = {p.stream: p for p in self.parked()}
            self._checkpoint = checkpoint

    def _apply_batch(self, limit: int) -> int:
        """Apply a batch; return its size, or 0 if another process moved the checkpoint meanwhile."""
        batch = self._log.plain_rows(self._checkpoint.position, limit)
        if not batch:
            raise LogError(
                f"the log has no events after {self._checkpoint.position}, though its head is greater"
            )
        changes = self._fold.fold(batch, self._parked)
        last_position, *_ = batch[-1]
        if not self._commit(changes, upto=last_position):
            return 0
        self.events_applied += len(batch)
        return len(batch)

    def _commit(self, changes: Changes, upto: int) -> bool:
        checkpoint = self._store.commit(changes.rows(), self._checkpoint, upto)
        if checkpoint is None:
            self._read_checkpoint(upto)
            return False
        self._checkpoint = checkpoint
        self._fold.adopt(changes)
        self._parked |= changes.parked
        for stream in changes.unparked:
            del self._parked[stream]
        return True

    # -- single entities ---------------------------------------------------------------------------
    def _current(self, address: str) -> Any | None:
        """Return the state of one entity with all that is recorded of it; None if there is none."""
        return self._currents([address]).get(address)

    def _currents(self, addresses: Sequence[str]) -> dict[str, Any]:
        """Return the states of those of *addresses* that exist, with all that is recorded of them."""
        self.catch_up()
        states = dict(self._states(addresses))
        if self._behind is not None:
            for address in addresses:
                if (state := self._with_rest(address, states.get(address))) is not None:
                    states[address] = state
        return {address: entity.state for address, entity in states.items()}

    def _with_rest(self, address: str, found: EntityState | None) -> EntityState | None:
        """Return *found* after the events that the catalog has not applied, up to one that fails."""
        before, evolve = found or INITIAL[kind_of(address)], evolver(address)
        for recorded in self._rest(address, before.version):
            event: Any = recorded.event
            try:
                state = evolve(before.state, event)
            except Exception:  # the catalog will park the stream here
                logger.debug("stream %s fails", recorded.stream, exc_info=True)
                break
            before = EntityState(state, recorded.version, recorded.position)
        return before if before.version else None

    def _rest(self, address: str, version: int) -> list[Recorded]:
        """Return the events of an entity after *version*; none of those that the catalog cannot follow."""
        stream = stream_of(address)
        upto = self._parked[stream].version - 1 if stream in self._parked else None
        return self._log.read(stream, after=version, upto=upto)

    def _states(self, ids: Sequence[str]) -> Iterator[tuple[str, EntityState]]:
        for start in range(0, len(ids), _PAGE_SIZE):
            page = ids[start : start + _PAGE_SIZE]
            rows = self._store.rows(sql.states(page))
            for row, state in zip(rows, self._share_states(rows), strict=True):
                yield row["id"], EntityState(state, row["version"], row["position"])
            if any(":" in address for address in page):
                for row in self._store.rows(sql.entity_states(page)):
                    state = read_state(row, kind_of(row["id"]))
                    yield row["id"], EntityState(state, row["version"], row["position"])

    def _share_states(self, rows: Sequence[Any]) -> Iterator[ShareState]:
        """The states in *rows* of shares, with their access rules."""
        rules: dict[str, list[Any]] = {row["id"]: [] for row in rows if row["rules"]}
        if rules:
            for rule in self._store.rows(sql.rules_of([*rules])):
                rules[rule["share_id"]].append(rule)
        for row in rows:
            state: ShareState = read_state(row)
            found = rules.get(row["id"])
            yield state if found is None else state.replace(rules=rule_rows.restored(found))


def read_state(row: Any, kind: str = "share") -> Any:
    """Return the state in a row of the catalog, of an entity of this *kind*; raises `LogError` if damaged.

    That of a share is without its access rules, which have rows of their own.
    """
    try:
        return type(AGGREGATES[kind].initial).model_validate_json(row["state"])
    except ValidationError as error:
        raise LogError(f"a row of the catalog is damaged: {error}; rebuild the catalog") from None
