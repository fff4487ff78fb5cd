"""The access periods of the rules of a share: its whole history, and who could mount it at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from share_actors.audit.access.client import network_of
from share_actors.audit.access.fold import AccessFold, RuleTrack, Standing
from share_actors.audit.access.timeline import Orders, Timeline, of_share, timelines
from share_actors.audit.access.values import AccessPeriod
from share_actors.audit.queries import find_stream
from share_actors.audit.reading.reader import LogReader
from share_actors.errors import NotFound
from share_actors.events import share

MAX_BITS = 128


class _Begun(NamedTuple):
    """A period that has begun: what is true in it, from which time on."""

    start: datetime
    standing: Standing
    period: AccessPeriod


def access_history(reader: LogReader, name: str) -> Iterator[AccessPeriod]:
    """All access periods of the share with this id or name, then those of each of its snapshots with rules.

    Those of one come in the order of their ends.

    Raises `NotFound` or `Ambiguous`, also for an entity that is not a share.
    """
    stream = share_stream(reader, name)
    orders = Orders(reader)
    for timeline in timelines(reader, stream):
        yield from periods_of(timeline, orders)


def access_at(reader: LogReader, name: str, at: datetime) -> tuple[AccessPeriod, ...]:
    """The access periods of a share that contain *at*: who could mount it then, and who was to.

    Those of its snapshots come last. They are sorted as the backend compares the rules: the smallest network
    first. A period without a rule says that other clients' access is not known. Empty when nobody had access.
    Raises `NotFound` if there was no share yet, or none with this id or name.
    """
    stream = share_stream(reader, name)
    orders = Orders(reader)
    timeline, *of_snapshots = timelines(reader, stream)
    fold = timeline.fold()
    first, begins = timeline.steps[0]
    fold.apply(first, begins)
    if fold.knowledge == "complete" and at < begins:
        raise NotFound(
            f"share {timeline.share_id} was not requested by {at.isoformat()}; it begins at"
            f" {begins.isoformat()}",
            field="at",
            value=str(at),
        )
    all_periods = (p for one in (timeline, *of_snapshots) for p in periods_of(one, orders))
    return tuple(sorted((p for p in all_periods if p.contains(at)), key=precedence))


def share_stream(reader: LogReader, name: str) -> str:
    """The stream of the share with this id or name; raises `NotFound` or `Ambiguous`."""
    stream = find_stream(reader, name)
    if not stream.startswith(f"{share.KIND}-"):
        raise NotFound(f"{stream} is not a share", field="share", value=name)
    return stream


def precedence(period: AccessPeriod) -> tuple[object, ...]:
    """Sorts the share before its snapshots; periods without a rule, then the smallest networks, first."""
    of = period.snapshot_id or ""
    if period.access_to is None:
        return (of, "", 0, "", "")
    network = network_of(period.access_to) if period.access_type == "ip" else None
    wide = 0 if network is None else network.max_prefixlen - network.prefixlen
    return (of, period.access_type, wide, period.access_to, period.access_id)


def periods_of(timeline: Timeline, orders: Orders) -> Iterator[AccessPeriod]:
    """The access periods of one share, in the order of their ends; those without an end come last."""
    fold, open_periods = timeline.fold(), _OpenPeriods(orders)
    for recorded, at in timeline.steps:
        before = (fold.knowledge, fold.because, fold.since, of_share(timeline, fold))
        touched = fold.apply(recorded, at)
        if (fold.knowledge, fold.because) != before[:2]:
            yield from _unknown_share(before, at)
        yield from open_periods.update(timeline, fold, touched, at)
    yield from _unknown_share(
        (fold.knowledge, fold.because, fold.since, of_share(timeline, fold)), None
    )
    yield from open_periods.rest()


def _unknown_share(
    known: tuple[str, str | None, datetime | None, dict[str, Any]], end: datetime | None
) -> Iterator[AccessPeriod]:
    """The period in which the access of clients without a rule was not known, if it was one."""
    knowledge, because, start, fields = known
    if knowledge not in ("partial", "none") or (start is not None and start == end):
        return
    intended = None if knowledge == "none" else False
    yield AccessPeriod(
        **fields, start=start, end=end, intended=intended, in_force="unknown", because=because
    )


class _OpenPeriods:
    """The periods of the rules of one share that have not ended."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._begun: dict[str, _Begun] = {}

    def update(
        self, timeline: Timeline, fold: AccessFold, touched: Iterable[RuleTrack], at: datetime
    ) -> Iterator[AccessPeriod]:
        """The periods that end at *at*, since the *touched* rules stand otherwise from then on."""
        for rule in list(touched):
            standing = fold.standing(rule) if fold.rules.get(rule.access_id) is rule else _GONE
            begun = self._begun.get(rule.access_id)
            if begun is not None and begun.standing == standing:
                continue
            if begun is not None:
                del self._begun[rule.access_id]
                if begun.start < at:
                    yield begun.period.replace(end=at)
            if standing[:2] != _GONE[:2]:
                period = self._period(timeline, fold, rule, standing, at)
                self._begun[rule.access_id] = _Begun(at, standing, period)

    def _period(
        self,
        timeline: Timeline,
        fold: AccessFold,
        rule: RuleTrack,
        standing: Standing,
        at: datetime,
    ) -> AccessPeriod:
        return AccessPeriod(
            **of_share(timeline, fold),
            start=at,
            end=None,
            access_id=rule.access_id,
            access_type=rule.access_type,
            access_to=rule.access_to,
            access_level=rule.access_level,
            intended=standing.intended,
            in_force=standing.in_force,
            because=standing.because,
            asked_at=rule.asked_at,
            asked_by=rule.asked_by,
            applied_at=rule.applied_at,
            revoked_at=rule.revoked_at or (fold.deleting and fold.deleting[0]),
            order=self._orders.of(fold.share, rule.access_type),
        )

    def rest(self) -> Iterator[AccessPeriod]:
        """The periods that last to the end of the log."""
        return (begun.period for begun in self._begun.values())


_GONE = Standing(intended=False, in_force="no", because=None)
