"""The rows of the catalog: what it stores of the state of each entity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from share_actors.events import share
from share_actors.events.aggregates import AGGREGATES, kind_of
from share_actors.events.catalog import rule_rows
from share_actors.events.decider import EPOCH
from share_actors.events.share import ShareState
from share_actors.values import Share, Snapshot

Row = tuple[Any, ...]
T = TypeVar("T")
_TIME_KEY = "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00"
"""As `isoformat` writes a time in UTC, which takes twice the time for a time that pydantic has read."""
_SELDOM_CHANGED = tuple(item for item in share.initial if item[0] not in ("share", "rules"))
"""The names and the first values of the parts of a share's state that its row has only if they differ."""


class EntityState(NamedTuple):
    """The state of an entity after the event at *version*, which has *position* in the log."""

    state: Any
    version: int
    position: int


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
    counts: list[Row] = field(default_factory=list)
    uses: list[Row] = field(default_factory=list)


def share_row(share_id: str, entity: EntityState) -> Row:
    """The columns of a share, as `sql.PUT_SHARE` writes them."""
    state, view = entity.state, entity.state.share
    host = searchable(view.host)
    return (
        share_id,
        _name(view.name),
        view.status,
        searchable(view.project_id),
        searchable(view.user_id),
        host.partition("#")[0],
        host,
        view.share_proto,
        view.size,
        time_key(view.created_at),
        entity.version,
        entity.position,
        int(share.pending(state) is not None),
        int(view.is_public),
        _json_of(state),
        view.share_network_id,
        _source_share_id(state),
        len(state.rules.rules),
    )


def _json_of(state: ShareState) -> str:
    """The JSON of a share's state, but for its rules and for what is as in every new share."""
    parts = state.__dict__
    changed = {
        name
        for name, initial in _SELDOM_CHANGED
        if (part := parts[name]) is not initial and part != initial
    }
    if not changed:
        return f'{{"share":{state.share.json_bytes().decode()}}}'
    return state.json_bytes({"share", *changed}).decode()


def counted_as(view: Share) -> Row:
    """The columns by which a share is counted."""
    return (
        view.status,
        searchable(view.project_id),
        searchable(view.backend),
        int(view.is_public),
    )


def _source_share_id(state: ShareState) -> str | None:
    """Return the id of the share whose snapshot the share is being created from now, if any."""
    if state.source is None or state.share.status != "creating":
        return None
    return searchable(state.source.share_id)


def has_moved(before: Share, now: Share) -> bool:
    """Whether the columns of `identity` may differ."""
    return (
        before.name != now.name
        or before.host != now.host
        or before.project_id != now.project_id
        or before.user_id != now.user_id
        or before.share_proto != now.share_proto
        or before.created_at != now.created_at
        or before.is_public != now.is_public
        or before.share_network_id != now.share_network_id
    )


def identity(view: Share) -> Row:
    """The columns of a share that hardly ever change, as `sql.MOVE_SHARE` sets them."""
    return (
        _name(view.name),
        searchable(view.project_id),
        searchable(view.user_id),
        searchable(view.backend),
        view.share_proto,
        time_key(view.created_at),
        int(view.is_public),
        view.share_network_id,
    )


def entity_row(address: str, entity: EntityState) -> Row:
    """The columns of another entity, as `sql.PUT_ENTITY` writes them."""
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


def add_parts(rows: Rows, share_id: str, before: ShareState, after: ShareState) -> None:
    """Add the changed rules and snapshots; states are immutable, so an unchanged part is the same object."""
    if after.rules is not before.rules:
        rules = rule_rows.changed(share_id, before.rules, after.rules)
        rows.rules += rules.put
        rows.dropped_rules += rules.dropped
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
    at = at or EPOCH
    if at.tzinfo != UTC:
        at = at.astimezone(UTC)
    date = at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond
    return _TIME_KEY % date


def searchable(text: str) -> str:
    """Return *text* without NUL characters, which PostgreSQL cannot store."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def _name(name: str | None) -> str | None:
    return None if name is None else searchable(name)
