"""The catalog as a projection: it follows the log, batch by batch, from wherever the last one got to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import Any

from pydantic import ValidationError

from share_actors.errors import LogError
from share_actors.events.aggregates import AGGREGATES, address_of, kind_of
from share_actors.events.catalog import sql
from share_actors.events.catalog.fold import NOTHING, Changes, Fold, Held, Parked, evolved, park
from share_actors.events.catalog.store import Place, Store
from share_actors.events.log import Log

BATCH = 2_000
"""Events a transaction."""
STATES_KEPT = 5_000
"""States that stay in memory, so that a busy share is not read again for every batch."""
_AT_ONCE = 500


class Projection:
    """Any number of processes may follow into the same catalog: each batch is applied by one of them."""

    def __init__(self, log: Log, store: Store) -> None:
        self._log, self._store, self._lock = log, store, RLock()
        self._fold = Fold(log, self._states, STATES_KEPT)
        self._place = Place(0, "")
        self._parked: dict[str, Parked] = {}

    def catch_up(self, limit: int | None = None) -> int:
        """Apply what the log holds by now beyond our position, at most *limit* events; how many."""
        applied = 0
        with self._lock:
            head = self._log.head()
            self._find_place(head)
            while self._place.position < head and (limit is None or applied < limit):
                applied += self._batch(BATCH if limit is None else min(BATCH, limit - applied))
        return applied

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Drop all and replay the log; how many events that took. If it is cut short, `catch_up` goes on."""
        with self._lock:
            self._store.reset()
            head, done = self._log.head(), 0
            self._find_place(head)
            while self._place.position < head:
                done += self._batch(BATCH)
                if progress is not None:
                    progress(self._place.position, head)
        return done

    def position(self) -> int:
        """The place in the log that the catalog is at."""
        return self._store.place().position

    def lag(self) -> int:
        """How far that is behind the log's end."""
        return max(0, self._log.head() - self.position())

    # -- what could not be followed ----------------------------------------------------------------
    def parked(self) -> tuple[Parked, ...]:
        """The streams that stand still, and why."""
        return tuple(Parked(**dict(row)) for row in self._store.rows(sql.Query(sql.PARKED, [])))

    def unpark(self, stream: str) -> bool:
        """Try a parked stream again from the log, as after an upgrade; whether it is well now."""
        with self._lock:
            self._find_place(self._log.head())
            while (parked := self._parked.get(stream)) is not None:
                changes = self._again(parked)
                if self._commit(changes, upto=self._place.position):
                    return not changes.parked
        return True

    def _again(self, parked: Parked) -> Changes:
        address = address_of(parked.stream) or parked.stream
        nothing, changes = NOTHING[kind_of(address)], Changes(unparked=(parked.stream,))
        state, version = nothing.state, 0
        try:
            for recorded in self._log.read(parked.stream, upto=parked.last_version):
                event: Any = recorded.event
                state, version = evolved(address, state, event), recorded.version
                changes.asked(address, recorded)
        except Exception as error:  # poison still, perhaps of another kind
            still = park(parked.stream, parked.version, parked.position, error)
            return Changes(parked={parked.stream: still.replace(last_version=parked.last_version)})
        changes.before[address] = dict(self._states([address])).get(address, nothing)
        changes.after[address] = Held(state, version, self._place.position)
        return changes

    # -- inside ------------------------------------------------------------------------------------
    def _find_place(self, head: int) -> None:
        """Where the catalog is may have changed: others follow, rebuild and unpark too."""
        place = self._store.place()
        if place.position > head and place.position > self._log.head():
            self._store.reset()  # the log is another one than it was, as after a restore
            place = self._store.place()
        if place != self._place:
            self._fold.forget()
            self._parked = {p.stream: p for p in self.parked()}
            self._place = place

    def _batch(self, limit: int) -> int:
        """Events applied: none if somebody else moved the catalog meanwhile."""
        batch = self._log.notifications(self._place.position, limit)
        if not batch:
            raise LogError(f"the log ends at {self._place.position}, before its own head")
        changes = self._fold.fold(batch, self._parked)
        return len(batch) if self._commit(changes, upto=batch[-1].position) else 0

    def _commit(self, changes: Changes, upto: int) -> bool:
        place = self._store.commit(changes.rows(), self._place, upto)
        if place is None:
            self._find_place(upto)
            return False
        self._place = place
        self._fold.adopt(changes)
        self._parked |= changes.parked
        for stream in changes.unparked:
            del self._parked[stream]
        return True

    def _states(self, ids: Sequence[str]) -> Iterator[tuple[str, Held]]:
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            for row in self._store.rows(sql.states(some)):
                yield row["id"], Held(read_state(row), row["version"], row["position"])
            if any(":" in address for address in some):
                for row in self._store.rows(sql.entity_states(some)):
                    state = read_state(row, kind_of(row["id"]))
                    yield row["id"], Held(state, row["version"], row["position"])


def read_state(row: Any, kind: str = "share") -> Any:
    """The state in a row of the catalog's shares, or of an entity of another *kind*."""
    try:
        return type(AGGREGATES[kind].initial).model_validate_json(row["state"])
    except ValidationError as error:
        raise LogError(f"a row of the catalog is damaged: {error}; rebuild the catalog") from None
