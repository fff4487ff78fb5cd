"""The projection that keeps the catalog up to date: it applies the log in batches from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

from pydantic import ValidationError

from share_actors.errors import LogError
from share_actors.events.aggregates import AGGREGATES, address_of, kind_of
from share_actors.events.catalog import sql
from share_actors.events.catalog.fold import (
    INITIAL,
    Changes,
    EntityState,
    Fold,
    Parked,
    evolve_entity,
    park_stream,
)
from share_actors.events.catalog.store import Checkpoint, Store
from share_actors.events.log import Log

BATCH_SIZE = 2_000
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

    @contextmanager
    def caught_up(self) -> Iterator[None]:
        """Apply the log once for all queries in the block, which then do not read it again."""
        with self._lock:
            self.catch_up()
            self._is_caught_up = True
            try:
                yield
            finally:
                self._is_caught_up = False

    def catch_up(self, limit: int | None = None) -> int:
        """Apply the events after the checkpoint, at most *limit*; return how many were applied."""
        applied = 0
        with self._lock:
            if self._is_caught_up:
                return 0
            head = self._log.head()
            self._read_checkpoint(head)
            while self._checkpoint.position < head and (limit is None or applied < limit):
                applied += self._apply_batch(
                    BATCH_SIZE if limit is None else min(BATCH_SIZE, limit - applied)
                )
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
        return done

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
        state, version = initial.state, 0
        before = dict(self._states([address])).get(address, initial)
        try:
            for recorded in self._log.read(parked.stream, upto=parked.last_version):
                event: Any = recorded.event
                earlier, state = state, evolve_entity(address, state, event)
                version = recorded.version
                changes.add_command(address, recorded)
                if version > before.version:
                    changes.add_room(address, earlier, state)
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
        batch = self._log.notifications(self._checkpoint.position, limit)
        if not batch:
            raise LogError(
                f"the log has no events after {self._checkpoint.position}, though its head is greater"
            )
        changes = self._fold.fold(batch, self._parked)
        return len(batch) if self._commit(changes, upto=batch[-1].position) else 0

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

    def _states(self, ids: Sequence[str]) -> Iterator[tuple[str, EntityState]]:
        for start in range(0, len(ids), _PAGE_SIZE):
            page = ids[start : start + _PAGE_SIZE]
            for row in self._store.rows(sql.states(page)):
                yield row["id"], EntityState(read_state(row), row["version"], row["position"])
            if any(":" in address for address in page):
                for row in self._store.rows(sql.entity_states(page)):
                    state = read_state(row, kind_of(row["id"]))
                    yield row["id"], EntityState(state, row["version"], row["position"])


def read_state(row: Any, kind: str = "share") -> Any:
    """Return the state in a row of the catalog, of an entity of this *kind*; raises `LogError` if damaged."""
    try:
        return type(AGGREGATES[kind].initial).model_validate_json(row["state"])
    except ValidationError as error:
        raise LogError(f"a row of the catalog is damaged: {error}; rebuild the catalog") from None
