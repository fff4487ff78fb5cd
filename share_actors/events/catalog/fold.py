"""The catalog's fold: computes from a batch of the log's rows the changed rows of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import add
from typing import Any

from share_actors.events import uses
from share_actors.events.aggregates import AGGREGATES, address_of, kind_of
from share_actors.events.catalog.rows import (
    EntityState,
    Row,
    Rows,
    add_parts,
    counted_as,
    entity_row,
    has_moved,
    identity,
    searchable,
    share_row,
)
from share_actors.events.log import Log
from share_actors.events.log.infrastructure import Row as LogRow
from share_actors.events.share import ShareState
from share_actors.events.share.room import NO_ROOM, change
from share_actors.events.uses import NOTHING, Account, Use
from share_actors.values import Frozen


class Parked(Frozen):
    """A stream that the catalog stopped following at *version*, since that event failed; see `skipped`."""

    stream: str
    version: int
    position: int
    error: str
    last_version: int

    @property
    def skipped(self) -> int:
        """How many events the catalog does not show, from *version* on."""
        return self.last_version - self.version + 1


INITIAL = {kind: EntityState(aggregate.initial, 0, 0) for kind, aggregate in AGGREGATES.items()}
"""The state of an entity before its first event, by kind."""


@dataclass
class Changes:
    """The changes by a batch: states before and after it by address, and newly parked or unparked streams."""

    before: dict[str, EntityState] = field(default_factory=dict)
    after: dict[str, EntityState] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    unparked: tuple[str, ...] = ()
    commands: dict[tuple[str, str, str], None] = field(default_factory=dict)
    """The command ids in the batch, in order, with the project and the address of each."""
    room: dict[str, Sequence[int]] = field(default_factory=dict)
    """By how much the room that is taken changed, by host: the parts of `Room`."""

    def add_room(self, before: ShareState, after: ShareState) -> None:
        """Add by how much an event of a share changed the room that is taken on its host."""
        if _room_differs(before, after):
            for host, room in change(before, after).items():
                self.room[host] = [*map(add, self.room.get(host, NO_ROOM), room)]

    def add_command(self, address: str, command_id: str | None, project_id: str) -> None:
        """Add the command of an event, if a client sent it."""
        if command_id is not None:
            self.commands[searchable(command_id), searchable(project_id), address] = None

    def rows(self) -> Rows:
        """Return the changed rows."""
        rows = Rows(
            parked=[tuple(dict(p).values()) for p in self.parked.values()],
            unparked=[(stream,) for stream in self.unparked],
            commands=list(self.commands),
        )
        counts: Counter[Row] = Counter()
        used: dict[Account, Use] = {}
        for address, entity in self.after.items():
            for account, use in uses.changes(self.before[address].state, entity.state).items():
                used[account] = used.get(account, NOTHING).plus(use)
            if isinstance(entity.state, ShareState):
                earlier = self.before[address]
                before = earlier.state
                rows.shares.append(share_row(address, entity))
                add_parts(rows, address, before, entity.state)
                if earlier.version:
                    counts[counted_as(before.share)] -= 1
                counts[counted_as(entity.state.share)] += 1
                if before.share.id and has_moved(before.share, entity.state.share):
                    rows.moved.append((*identity(entity.state.share), address))
            else:
                rows.entities.append(entity_row(address, entity))
        rows.counts = [(*columns, n) for columns, n in counts.items() if n]
        rows.uses = [(*map(searchable, account), *u) for account, u in used.items() if any(u)]
        rows.room = [(searchable(host), *room) for host, room in self.room.items() if any(room)]
        return rows


class Fold:
    """Folds batches; caches the last *max_states* states, so that few are read from the catalog again."""

    def __init__(
        self,
        log: Log,
        load: Callable[[Sequence[str]], Iterable[tuple[str, EntityState]]],
        max_states: int,
    ) -> None:
        self._log, self._load, self._max_states = log, load, max_states
        self._cache: dict[str, EntityState] = {}
        """In the order in which they were last changed."""

    def forget(self) -> None:
        """Clear the cache, since the catalog may have changed."""
        self._cache.clear()

    def fold(self, batch: Sequence[LogRow], parked: Mapping[str, Parked]) -> Changes:
        """Return the changes by *batch*, folded stream by stream; a failing event parks its stream."""
        streams: dict[str, list[LogRow]] = {}
        for row in batch:
            streams.setdefault(row[1], []).append(row)
        followed = {
            address: rows for stream, rows in streams.items() if (address := address_of(stream))
        }
        changes = Changes(before=self._states(followed))
        for address, rows in followed.items():
            _, stream, last_version, *_ = rows[-1]
            if (stopped := parked.get(stream)) is None:
                self._follow(address, rows, changes)
            else:
                changes.parked[stream] = stopped.replace(last_version=last_version)
        return changes

    def adopt(self, changes: Changes) -> None:
        """Cache the states of *changes*, which the catalog has stored."""
        for address in self._cache.keys() & changes.after.keys():
            del self._cache[address]
        self._cache |= changes.after
        for address in [*islice(self._cache, max(len(self._cache) - self._max_states, 0))]:
            del self._cache[address]

    def _states(self, followed: Mapping[str, Sequence[LogRow]]) -> dict[str, EntityState]:
        """Return the states before these events by address; an entity's first event needs no stored state."""
        states: dict[str, EntityState] = {}
        missing = []
        for address, rows in followed.items():
            cached = self._cache.get(address)
            states[address] = cached or INITIAL[kind_of(address)]
            _, _, first_version, *_ = rows[0]
            if first_version > 1 and cached is None:
                missing.append(address)
        states.update(self._load(missing))
        return states

    def _follow(self, address: str, rows: Sequence[LogRow], changes: Changes) -> None:
        """Add the changes by the events of one entity, up to one that fails."""
        decode, evolve = self._log.decode_request, evolver(address)
        before = changes.before[address]
        state, version, position = before
        takes_room = isinstance(state, ShareState)
        for at, stream, number, topic, stored in rows:
            try:
                if number != version + 1:
                    raise ValueError(f"version {number} follows version {version}")
                event, request = decode(stream, number, topic, stored)
                earlier, state = state, evolve(state, event)
            except Exception as error:  # a failing event must not stop the other streams
                parked = park_stream(stream, number, at, error)
                _, _, last_version, *_ = rows[-1]
                changes.parked[stream] = parked.replace(last_version=last_version)
                break
            version, position = number, at
            if takes_room:
                changes.add_room(earlier, state)
            if request is not None:
                changes.add_command(address, *request)
        if version != before.version:
            changes.after[address] = EntityState(state, version, position)


def evolver(address: str) -> Callable[[Any, Any], Any]:
    """Return the function that gives the state after an event of the entity at *address*."""
    aggregate: Any = AGGREGATES[kind_of(address)]
    return aggregate.evolve  # type: ignore[no-any-return]


def park_stream(stream: str, version: int, position: int, error: Exception) -> Parked:
    """Park *stream* at *version*, whose event failed with *error*."""
    message = searchable(f"{type(error).__name__}: {error}")
    return Parked(
        stream=stream, version=version, position=position, error=message, last_version=version
    )


def _room_differs(before: ShareState, after: ShareState) -> bool:
    """Whether the room may differ: most events of a share change nothing of what it is derived from."""
    if before.room != after.room or before.found != after.found:
        return True
    then, now = before.share, after.share
    return then is not now and (
        then.status != now.status
        or then.host != now.host
        or then.size != now.size
        or before.resize_to != after.resize_to
    )
