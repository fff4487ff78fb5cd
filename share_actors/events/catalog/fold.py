"""The catalog's fold: computes from a batch of the log's rows the changed rows of the catalog."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from share_actors.events import share
from share_actors.events.aggregates import AGGREGATES, address_of, kind_of
from share_actors.events.decider import EPOCH
from share_actors.events.envelope import Recorded
from share_actors.events.log import Log, Notification
from share_actors.events.share import ShareState
from share_actors.events.share.room import Room, change
from share_actors.values import Frozen, Share, Snapshot

Row = tuple[Any, ...]
T = TypeVar("T")


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


class EntityState(NamedTuple):
    """The state of an entity after the event at *version*, which has *position* in the log."""

    state: Any
    version: int
    position: int


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
    room: dict[str, Room] = field(default_factory=dict)
    """By how much the room that is taken changed, by host."""

    def add_room(self, address: str, before: Any, after: Any) -> None:
        """Add by how much an event of a share changed the room that is taken on its host."""
        if kind_of(address) == share.KIND and _room_differs(before, after):
            for host, room in change(before, after).items():
                self.room[host] = self.room.get(host, Room()).plus(room)

    def add_command(self, address: str, recorded: Recorded) -> None:
        """Add the command of *recorded*, if a client sent it."""
        command_id, project = recorded.envelope.command_id, recorded.envelope.project_id
        if command_id is not None:
            self.commands[searchable(command_id), searchable(project), address] = None

    def rows(self) -> Rows:
        """Return the changed rows."""
        rows = Rows(
            parked=[tuple(dict(p).values()) for p in self.parked.values()],
            unparked=[(stream,) for stream in self.unparked],
            commands=list(self.commands),
        )
        for address, entity in self.after.items():
            if kind_of(address) == share.KIND:
                before = self.before[address].state
                rows.shares.append(_share_row(address, entity))
                _add_parts(rows, address, before, entity.state)
                if before.share.id and _identity(before.share) != _identity(entity.state.share):
                    rows.moved.append((*_identity(entity.state.share), address))
            else:
                rows.entities.append(_entity_row(address, entity))
        rows.room = [(searchable(host), *room) for host, room in self.room.items() if any(room)]
        return rows


@dataclass
class Rows:
    """The rows of the catalog to write, and the keys of those to delete."""

    shares: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    entities: list[Row] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    dropped_snapshots: list[Row] = field(default_factory=list)
    rules: list[Row] = field(default_factory=list)
    dropped_rules: list[Row] = field(default_factory=list)
    parked: list[Row] = field(default_factory=list)
    unparked: list[Row] = field(default_factory=list)
    commands: list[Row] = field(default_factory=list)
    room: list[Row] = field(default_factory=list)


class Fold:
    """Folds batches; caches the last *max_states* states, so that few are read from the catalog again."""

    def __init__(
        self,
        log: Log,
        load: Callable[[Sequence[str]], Iterable[tuple[str, EntityState]]],
        max_states: int,
    ) -> None:
        self._log, self._load, self._max_states = log, load, max_states
        self._cache: OrderedDict[str, EntityState] = OrderedDict()

    def forget(self) -> None:
        """Clear the cache, since the catalog may have changed."""
        self._cache.clear()

    def fold(self, batch: Sequence[Notification], parked: Mapping[str, Parked]) -> Changes:
        """Return the changes by *batch*; a failing event parks its stream."""
        changes = Changes(before=self._states(batch))
        for raw in batch:
            address = address_of(raw.stream)
            if address is None:
                continue
            stopped = changes.parked.get(raw.stream) or parked.get(raw.stream)
            if stopped is None:
                self._follow(address, raw, changes)
            else:
                changes.parked[raw.stream] = stopped.replace(last_version=raw.version)
        return changes

    def adopt(self, changes: Changes) -> None:
        """Cache the states of *changes*, which the catalog has stored."""
        for address, entity in changes.after.items():
            self._cache[address] = entity
            self._cache.move_to_end(address)
        while len(self._cache) > self._max_states:
            self._cache.popitem(last=False)

    def _states(self, batch: Sequence[Notification]) -> dict[str, EntityState]:
        """Return the states before *batch* of its entities; an entity's first event needs no stored state."""
        states: dict[str, EntityState] = {}
        missing = []
        for raw in batch:
            address = address_of(raw.stream)
            if address is None or address in states:
                continue
            states[address] = self._cache.get(address, INITIAL[kind_of(address)])
            if raw.version > 1 and address not in self._cache:
                missing.append(address)
        states.update(self._load(missing))
        return states

    def _follow(self, address: str, raw: Notification, changes: Changes) -> None:
        before = changes.after.get(address) or changes.before[address]
        try:
            if raw.version != before.version + 1:
                raise ValueError(f"version {raw.version} follows version {before.version}")
            recorded = self._log.decode(raw)
            event: Any = recorded.event
            state = evolve_entity(address, before.state, event)
        except Exception as error:  # a failing event must not stop the other streams
            changes.parked[raw.stream] = park_stream(raw.stream, raw.version, raw.position, error)
        else:
            changes.add_room(address, before.state, state)
            changes.after[address] = EntityState(state, raw.version, raw.position)
            changes.add_command(address, recorded)


def evolve_entity(address: str, state: Any, event: Any) -> Any:
    """Return the state after *event*, by the aggregate of the entity at *address*."""
    aggregate: Any = AGGREGATES[kind_of(address)]
    return aggregate.evolve(state, event)


def park_stream(stream: str, version: int, position: int, error: Exception) -> Parked:
    """Park *stream* at *version*, whose event failed with *error*."""
    message = searchable(f"{type(error).__name__}: {error}")
    return Parked(
        stream=stream, version=version, position=position, error=message, last_version=version
    )


def _room_differs(before: ShareState, after: ShareState) -> bool:
    """Whether the room may differ: most events of a share change neither what it is derived from."""
    return before.share is not after.share or before.room != after.room


# -- rows ----------------------------------------------------------------------------------------
def _share_row(share_id: str, entity: EntityState) -> Row:
    state, view = entity.state, entity.state.share
    return (
        share_id,
        _name(view.name),
        view.status,
        searchable(view.project_id),
        searchable(view.user_id),
        searchable(view.backend),
        searchable(view.host),
        view.share_proto,
        view.size,
        time_key(view.created_at),
        entity.version,
        entity.position,
        int(share.pending(state) is not None),
        int(view.is_public),
        state.model_dump_json(),
        view.share_network_id,
        _source_share_id(state),
    )


def _source_share_id(state: ShareState) -> str | None:
    """Return the id of the share whose snapshot the share is being created from now, if any."""
    if state.source is None or state.share.status != "creating":
        return None
    return searchable(state.source.share_id)


def _identity(view: Share) -> Row:
    """The columns of a share that hardly ever change, as `sql.MOVE_SHARE` sets them."""
    return (
        _name(view.name),
        searchable(view.project_id),
        searchable(view.user_id),
        searchable(view.backend),
        view.share_proto,
        time_key(view.created_at),
        int(view.is_public),
    )


def _entity_row(address: str, entity: EntityState) -> Row:
    aggregate: Any = AGGREGATES[kind_of(address)]
    view = aggregate.view(entity.state)
    parent = view.get("share_network_id")
    return (
        address,
        kind_of(address),
        _name(view.get("name")),
        view.status,
        searchable(view.get("project_id") or ""),
        parent and searchable(parent),
        time_key(view.get("created_at")),
        entity.version,
        entity.position,
        int(aggregate.pending(entity.state) is not None),
        entity.state.model_dump_json(),
    )


def _add_parts(rows: Rows, share_id: str, before: ShareState, after: ShareState) -> None:
    """Add the changed rules and snapshots; states are immutable, so an unchanged part is the same object."""
    if after.rules.rules is not before.rules.rules:
        rules, dropped = _changed(before.rules.rules, after.rules.rules)
        rows.rules += ((share_id, i, rule.state, rule.model_dump_json()) for i, rule in rules)
        rows.dropped_rules += ((share_id, i) for i in dropped)
    if after.snapshots.held is not before.snapshots.held:
        project = searchable(after.share.project_id)
        snapshots, dropped = _changed(before.snapshots.held, after.snapshots.held)
        rows.snapshots += (_snapshot_row(share_id, project, snapshot) for _, snapshot in snapshots)
        rows.dropped_snapshots += ((share_id, i) for i in dropped)


def _snapshot_row(share_id: str, project: str, snapshot: Snapshot) -> Row:
    return (
        share_id,
        snapshot.id,
        _name(snapshot.name),
        snapshot.status,
        project,
        time_key(snapshot.created_at),
        snapshot.model_dump_json(),
    )


def _changed(
    before: Mapping[str, T], after: Mapping[str, T]
) -> tuple[Iterator[tuple[str, T]], set[str]]:
    """Return the new and changed items, and the ids of the removed ones."""
    changed = ((i, item) for i, item in after.items() if before.get(i) is not item)
    return changed, before.keys() - after.keys()


def time_key(at: datetime | None) -> str:
    """Return a time as text that sorts like the time; the epoch for None."""
    return (at or EPOCH).astimezone(UTC).isoformat(timespec="microseconds")


def searchable(text: str) -> str:
    """Return *text* without NUL characters, which PostgreSQL cannot store."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _name(name: str | None) -> str | None:
    return None if name is None else searchable(name)
