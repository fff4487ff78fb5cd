"""The catalog's fold: a batch of the log's rows to the rows of the catalog that they change."""

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
from share_actors.values import Frozen

Row = tuple[Any, ...]
T = TypeVar("T")


class Parked(Frozen):
    """A stream that could not be followed beyond *version*: the events since are *skipped*."""

    stream: str
    version: int
    position: int
    error: str
    last_version: int

    @property
    def skipped(self) -> int:
        return self.last_version - self.version + 1


class Held(NamedTuple):
    """An entity's state after the event at *version*, which is at *position* in the log."""

    state: Any
    version: int
    position: int


NOTHING = {kind: Held(aggregate.initial, 0, 0) for kind, aggregate in AGGREGATES.items()}
"""What is known of an entity before its first event, by its kind."""


@dataclass
class Changes:
    """What a batch changes: states before and after it by address, and streams that are parked or were."""

    before: dict[str, Held] = field(default_factory=dict)
    after: dict[str, Held] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    unparked: tuple[str, ...] = ()
    commands: dict[tuple[str, str], None] = field(default_factory=dict)
    """Which (command id, address) there were."""

    def asked(self, address: str, recorded: Recorded) -> None:
        """Note whose request *recorded* came of."""
        command_id = recorded.envelope.command_id
        if command_id is not None:
            self.commands[searchable(command_id), address] = None

    def rows(self) -> Rows:
        rows = Rows(
            parked=[tuple(dict(p).values()) for p in self.parked.values()],
            unparked=[(stream,) for stream in self.unparked],
            commands=list(self.commands),
        )
        for address, held in self.after.items():
            if kind_of(address) == share.KIND:
                rows.shares.append(_share_row(address, held))
                _differences(rows, address, self.before[address].state, held.state)
            else:
                rows.entities.append(_entity_row(address, held))
        return rows


@dataclass
class Rows:
    """The same as rows to put and keys to drop."""

    shares: list[Row] = field(default_factory=list)
    entities: list[Row] = field(default_factory=list)
    snapshots: list[Row] = field(default_factory=list)
    dropped_snapshots: list[Row] = field(default_factory=list)
    rules: list[Row] = field(default_factory=list)
    dropped_rules: list[Row] = field(default_factory=list)
    parked: list[Row] = field(default_factory=list)
    unparked: list[Row] = field(default_factory=list)
    commands: list[Row] = field(default_factory=list)


class Fold:
    """Folds batches; keeps the *keep* states it used last, so that few are read from the catalog again."""

    def __init__(
        self, log: Log, load: Callable[[Sequence[str]], Iterable[tuple[str, Held]]], keep: int
    ) -> None:
        self._log, self._load, self._keep = log, load, keep
        self._kept: OrderedDict[str, Held] = OrderedDict()

    def forget(self) -> None:
        """What is kept may not be what the catalog holds: read it from there."""
        self._kept.clear()

    def fold(self, batch: Sequence[Notification], parked: Mapping[str, Parked]) -> Changes:
        """What *batch* changes; an event that can't be followed parks its stream, and the rest goes on."""
        changes = Changes(before=self._states(batch))
        for raw in batch:
            address = address_of(raw.stream)
            if address is None:
                continue
            known = changes.parked.get(raw.stream) or parked.get(raw.stream)
            if known is None:
                self._follow(address, raw, changes)
            else:
                changes.parked[raw.stream] = known.replace(last_version=raw.version)
        return changes

    def adopt(self, changes: Changes) -> None:
        """The catalog holds *changes* now."""
        for address, held in changes.after.items():
            self._kept[address] = held
            self._kept.move_to_end(address)
        while len(self._kept) > self._keep:
            self._kept.popitem(last=False)

    def _states(self, batch: Sequence[Notification]) -> dict[str, Held]:
        """The states before *batch* of the entities in it; the first event of one needs none."""
        states: dict[str, Held] = {}
        unknown = []
        for raw in batch:
            address = address_of(raw.stream)
            if address is None or address in states:
                continue
            states[address] = self._kept.get(address, NOTHING[kind_of(address)])
            if raw.version > 1 and address not in self._kept:
                unknown.append(address)
        states.update(self._load(unknown))
        return states

    def _follow(self, address: str, raw: Notification, changes: Changes) -> None:
        held = changes.after.get(address) or changes.before[address]
        try:
            if raw.version != held.version + 1:
                raise ValueError(f"version {raw.version} follows version {held.version}")
            recorded = self._log.decode(raw)
            event: Any = recorded.event
            state = evolved(address, held.state, event)
        except Exception as error:  # a poison event must not stop the shares around it
            changes.parked[raw.stream] = park(raw.stream, raw.version, raw.position, error)
        else:
            changes.after[address] = Held(state, raw.version, raw.position)
            changes.asked(address, recorded)


def evolved(address: str, state: Any, event: Any) -> Any:
    """The state after *event*, by the aggregate of the entity."""
    aggregate: Any = AGGREGATES[kind_of(address)]
    return aggregate.evolve(state, event)


def park(stream: str, version: int, position: int, error: Exception) -> Parked:
    """The stream as it is shown, with what is wrong with its event at *version*."""
    said = searchable(f"{type(error).__name__}: {error}")
    return Parked(
        stream=stream, version=version, position=position, error=said, last_version=version
    )


# -- rows ----------------------------------------------------------------------------------------
def _share_row(share_id: str, held: Held) -> Row:
    state, told = held.state, held.state.share
    return (
        share_id, _name(told.name), told.status, searchable(told.project_id), searchable(told.user_id),
        searchable(told.backend), searchable(told.host), told.share_proto, told.size,
        time_key(told.created_at), held.version, held.position,
        int(share.pending(state) is not None), state.model_dump_json(),
    )  # fmt: skip


def _entity_row(address: str, held: Held) -> Row:
    aggregate: Any = AGGREGATES[kind_of(address)]
    told = aggregate.view(held.state)
    parent = told.get("share_network_id")
    return (
        address, kind_of(address), _name(told.get("name")), told.status,
        searchable(told.get("project_id") or ""), parent and searchable(parent),
        time_key(told.get("created_at")), held.version, held.position,
        int(aggregate.pending(held.state) is not None), held.state.model_dump_json(),
    )  # fmt: skip


def _differences(rows: Rows, share_id: str, before: ShareState, after: ShareState) -> None:
    """Only what changed; states are immutable, so what did not is the same object."""
    if after.rules.rules is not before.rules.rules:
        put, dropped = _changed(before.rules.rules, after.rules.rules)
        rows.rules += ((share_id, i, r.state, r.model_dump_json()) for i, r in put)
        rows.dropped_rules += ((share_id, i) for i in dropped)
    if after.snapshots.held is not before.snapshots.held:
        project = searchable(after.share.project_id)
        put_snapshots, dropped = _changed(before.snapshots.held, after.snapshots.held)
        rows.snapshots += (
            (share_id, i, _name(s.name), s.status, project, time_key(s.created_at), s.model_dump_json())
            for i, s in put_snapshots
        )  # fmt: skip
        rows.dropped_snapshots += ((share_id, i) for i in dropped)


def _changed(
    before: Mapping[str, T], after: Mapping[str, T]
) -> tuple[Iterator[tuple[str, T]], set[str]]:
    put = ((i, item) for i, item in after.items() if before.get(i) is not item)
    return put, before.keys() - after.keys()


def time_key(at: datetime | None) -> str:
    """A time as text that sorts as the time does."""
    return (at or EPOCH).astimezone(UTC).isoformat(timespec="microseconds")


def searchable(text: str) -> str:
    """*text* as every database can store it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # which PostgreSQL does not store


def _name(name: str | None) -> str | None:
    return None if name is None else searchable(name)
