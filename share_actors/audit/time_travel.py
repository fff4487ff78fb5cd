"""What was true at a time or at a version: of one entity, of all shares, and what changed between two times.

An event's time is when it was recorded: a request when it was asked for, an outcome when the backend had
answered. The log's order counts, not the clocks: the state *at* a time is the one after the last event of
the stream that is dated at or before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from share_actors.audit.index import Indexed
from share_actors.audit.reading.reader import LogReader
from share_actors.audit.trail import Owed, Trail
from share_actors.errors import LogError, NotFound
from share_actors.events import share
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.decider import replay
from share_actors.events.envelope import Recorded
from share_actors.events.log.log import Notification
from share_actors.values import Frozen, Share, Value
from share_actors.values.checks.escaping import escaped

Until = datetime | int
"""A time, or the version of an event in its stream."""


class StateAt(Frozen):
    """An entity as it was: its `view`, and the event that had come last."""

    stream: str
    kind: str
    version: int
    position: int
    changed_at: datetime
    """When the last event was recorded that the state contains."""
    view: Value
    pending: tuple[Owed, ...]
    """What had been asked for by then and was not done: by whom, and when it was asked."""
    backwards: tuple[int, ...] = ()
    """The versions that are dated before their predecessors: the clock of a writer ran backwards."""


def state_at(reader: LogReader, stream: str, until: Until) -> StateAt:
    """The state of an entity at a time or version, from its stream alone.

    Raises `NotFound` if its first event came later, or it has no such version.
    """
    history = list(reader.stream(stream))
    events = _prefix(history, until)
    if not events:
        first = f"; it begins at {history[0].envelope.at.isoformat()}" if history else ""
        what = f"version {until}" if isinstance(until, int) else until.isoformat()
        raise NotFound(
            f"stream {stream} has no event by {what}{first}", field="at", value=str(until)
        )
    kind = stream.partition("-")[0]
    aggregate: Any = AGGREGATES[kind]
    trail = Trail(aggregate.initial, aggregate.evolve, _no_status, 1)
    trail.since = events[0].envelope.at
    for recorded in events:
        trail.record(recorded)
    end = events[-1]
    return StateAt(
        stream=stream,
        kind=kind,
        version=end.version,
        position=end.position,
        changed_at=end.envelope.at,
        view=aggregate.view(trail.state),
        pending=trail.owed(),
        backwards=_backwards(history),
    )


def _no_status(_state: Any) -> str:
    return ""


def _prefix(history: list[Recorded], until: Until) -> list[Recorded]:
    """The events up to the last one that is not after *until*, in the order of the log."""
    if isinstance(until, int):
        return history[: max(until, 0)] if until <= len(history) else []
    for recorded in history:
        _require_zone(recorded)
    count = max((n for n, r in enumerate(history, 1) if r.envelope.at <= until), default=0)
    return history[:count]


def _require_zone(recorded: Recorded) -> None:
    at = recorded.envelope.at
    if at.tzinfo is None:
        raise LogError(
            f"stream {recorded.stream} version {recorded.version}: its time {at.isoformat()} has no zone:"
            " give a version instead of a time"
        )


def _backwards(history: list[Recorded]) -> tuple[int, ...]:
    pairs = pairwise(history)
    return tuple(
        later.version for earlier, later in pairs if later.envelope.at < earlier.envelope.at
    )


# -- the fleet -----------------------------------------------------------------------------------
def shares_at(
    reader: LogReader, at: datetime, *, gone: bool = False, index: Indexed | None = None
) -> Iterator[Share]:
    """Every share there was at the time *at*, by id; with *gone* also deleted and unmanaged ones.

    One pass over the log, or with its *index* over the streams that got events after *at*. Memory holds one
    share.
    """
    found = _all_shares_at(reader, at) if index is None else _indexed_at(reader, at, index)
    for view in found:
        if view is not None and (gone or view.status not in ("deleted", "unmanaged")):
            yield view


def _all_shares_at(reader: LogReader, at: datetime) -> Iterator[Share | None]:
    rows = reader.rows_by_stream(f"{share.KIND}-")
    for _, group in groupby(rows, key=lambda row: row.stream):
        yield _view_at(reader, group, at)


def _indexed_at(reader: LogReader, at: datetime, index: Indexed) -> Iterator[Share | None]:
    changed: Iterable[tuple[str, Share | None]] = ((s, None) for s in sorted(index.changed))
    for stream, view in merge(index.shares_at(at), changed, key=itemgetter(0)):
        yield _view_at(reader, reader.stream_rows(stream), at) if view is None else view


def _view_at(reader: LogReader, stream: Iterable[Notification], at: datetime) -> Share | None:
    """The share after the last of its rows that is dated at or before *at*; None if there is none."""
    rows = list(stream)
    count = max((n for n, row in enumerate(rows, 1) if reader.time_of(row) <= at), default=0)
    events: list[Any] = [reader.decode_event(row) for row in rows[:count]]
    return share.view(replay(share, events)) if events else None


# -- the difference ------------------------------------------------------------------------------
class Change(Frozen):
    """What became of one share or rule between two times; `done_at` is None for what was only asked for."""

    kind: str
    """`created`, `managed`, `deleted`, `unmanaged`, `forgotten`, `resized`, `reverted`;
    `opened` and `closed` are about an access rule."""
    share_id: str
    name: str | None
    project_id: str
    detail: str
    """`1 -> 3 GiB` for a new size, `ip:10.0.0.0/8 rw` for a rule; else empty."""
    asked_at: datetime
    asked_by: str
    done_at: datetime | None = None
    failed: str | None = None
    """Why it was not done, if it ended without success."""


_KINDS = {
    "create": "created",
    "manage": "managed",
    "delete": "deleted",
    "unmanage": "unmanaged",
    "forget": "forgotten",
    "extend": "resized",
    "shrink": "resized",
    "revert": "reverted",
}
_RULE_KINDS = {"allow": "opened", "deny": "closed"}


def changes(
    reader: LogReader, start: datetime, end: datetime, index: Indexed | None = None
) -> Iterator[Change]:
    """What was done after *start* and up to *end*, or asked for then and not done by *end*.

    Share by share, with the *index* of the log only of those with events then: memory holds one share.
    """
    for rows in _rows_within(reader, start, end, index):
        if any(start < reader.time_of(row) for row in rows):
            events = _prefix([reader.decode(row) for row in rows], end)
            if any(recorded.envelope.at > start for recorded in events):
                yield from _Differences(start).of(events)


def _rows_within(
    reader: LogReader, start: datetime, end: datetime, index: Indexed | None
) -> Iterator[list[Notification]]:
    """The rows of each share that may have events after *start* and up to *end*."""
    if index is None:
        rows = reader.rows_by_stream(f"{share.KIND}-")
        for _, group in groupby(rows, key=lambda row: row.stream):
            yield list(group)
        return
    for stream in merge(index.streams_within(start, end), sorted(index.changed)):
        yield list(reader.stream_rows(stream))


class _Differences:
    """The changes of one share, by a fold over its stream: what is asked for, and what becomes of it."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._state = share.initial
        self._asked: dict[str, tuple[Recorded, str]] = {}

    def of(self, events: list[Recorded]) -> Iterator[Change]:
        """The changes after the start."""
        for recorded in events:
            before = self._state
            event: Any = recorded.event
            self._state = share.evolve(before, event)
            if recorded.envelope.at > self._start:
                yield from self._ended(recorded, before)
            self._forget(event)
            for work in event.opens():
                self._asked[work] = (recorded, self._detail(work, before, self._state))
        for work, (asked, detail) in self._asked.items():
            if asked.envelope.at > self._start and _kind(work):
                yield self._change(work, asked, detail)

    def _ended(self, recorded: Recorded, before: share.ShareState) -> Iterator[Change]:
        at, seen = recorded.envelope.at, set()
        for settled in recorded.event.settles():
            for work, (asked, detail) in self._asked.items():
                if work not in seen and settled.ends(work) and _kind(work):
                    seen.add(work)
                    yield self._change(work, asked, detail, at, settled.failed)
        if "delete" in seen and self._state.share.status == "deleted":
            yield from self._closed_by_deletion(before, at)

    def _closed_by_deletion(self, before: share.ShareState, at: datetime) -> Iterator[Change]:
        asked = self._asked["delete"][0]
        for rule_id, rule in before.rules.rules.items():
            if rule.state == "active":
                work = f"rule/{rule_id}/deny"
                yield self._change(work, asked, self._detail(work, before, before), at)

    def _forget(self, event: Any) -> None:
        for settled in event.settles():
            self._asked = {w: a for w, a in self._asked.items() if not settled.ends(w)}

    @staticmethod
    def _detail(work: str, before: share.ShareState, after: share.ShareState) -> str:
        if work in ("extend", "shrink"):
            return f"{before.share.size} -> {after.resize_to} GiB"
        if work.startswith("rule/"):
            rules = {**before.rules.rules, **after.rules.rules}
            rule = rules.get(work.split("/")[1])
            return (
                "" if rule is None else f"{rule.access_type}:{rule.access_to} {rule.access_level}"
            )
        return ""

    def _change(
        self,
        work: str,
        asked: Recorded,
        detail: str,
        done_at: datetime | None = None,
        failed: str | None = None,
    ) -> Change:
        view = self._state.share
        return Change(
            kind=_kind(work),
            share_id=asked.stream.partition("-")[2],
            name=view.name,
            project_id=view.project_id,
            detail=escaped(detail),
            asked_at=asked.envelope.at,
            asked_by=escaped(asked.envelope.user_id),
            done_at=done_at,
            failed=None if failed is None else escaped(failed),
        )


def _kind(work: str) -> str:
    """The kind of change that the end of *work* is; empty for work that changes nothing a client sees."""
    if work.startswith("rule/"):
        return _RULE_KINDS.get(work.rpartition("/")[2], "")
    return _KINDS.get(work, "")
