"""What a client could reach between two times, share by share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from share_actors.audit.access.client import AccessClient, parse_client
from share_actors.audit.access.fold import RuleTrack
from share_actors.audit.access.resolution import NOTHING, Decision, Named, decide
from share_actors.audit.access.timeline import Orders, Timeline, of_share, timelines
from share_actors.audit.access.values import Order, Reach
from share_actors.audit.reading.reader import LogReader
from share_actors.errors import InvalidRequest

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)
_DECIDED = ("client", "intended", "in_force", "at_most", "rules", "because", "order")
_ALL_UNKNOWN = Decision("unknown", "rw", ())
_ORDER_UNKNOWN = "several rules name it, and which of them the backend takes is not known"


def reach(
    reader: LogReader, client: str | AccessClient, start: datetime, end: datetime
) -> Iterator[Reach]:
    """What *client* could reach in `[start, end)`: each share, then its snapshots that have rules.

    By part of the client, in order of time.

    A client is an address, a network, a user or `TYPE:NAME` (see `parse_client`). For one address or name
    each period says what all rules together came to. Of a network, each rule that names all or a part of it
    has periods of its own. Memory holds one share. Raises `InvalidRequest` for another client, a time
    without a zone, and a *start* after *end*.
    """
    start, end = check_times(start, end)
    wanted = parse_client(client) if isinstance(client, str) else client
    orders = Orders(reader)
    return (
        found
        for timeline in timelines(reader)
        for found in _of_share(timeline, wanted, orders, start, end)
    )


def check_times(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Both times in UTC; raises `InvalidRequest` for one without a zone, and for a start after the end."""
    for name, at in (("from", start), ("to", end)):
        if at.tzinfo is None:
            text = f"{name}: {at.isoformat()} has no time zone"
            raise InvalidRequest(text, field=name, value=str(at))
    if start > end:
        text = f"from: {start.isoformat()} is after to: {end.isoformat()}"
        raise InvalidRequest(text, field="from", value=str(start))
    return start.astimezone(UTC), end.astimezone(UTC)


def _of_share(
    timeline: Timeline, client: AccessClient, orders: Orders, start: datetime, end: datetime
) -> Iterator[Reach]:
    found = sorted(_Follower(timeline, client, orders).periods(), key=lambda r: (r.start, r.client))
    for period in found:
        clipped = period.replace(start=max(period.start, start), end=min(period.end, end))
        if clipped.start < clipped.end:
            yield clipped


class _Follower:
    """Follows the decisions about one client on one share.

    What is decided together has a key: the whole client, or of a network the id of each rule.
    """

    def __init__(self, timeline: Timeline, client: AccessClient, orders: Orders) -> None:
        self._timeline, self._client, self._orders = timeline, client, orders
        self._fold = timeline.fold()
        self._naming: dict[str, RuleTrack] = {}
        self._begun: dict[str, Reach] = {}

    def periods(self) -> Iterator[Reach]:
        """All periods, unclipped; the last ones end with all time."""
        for recorded, at in self._timeline.steps:
            before = (self._fold.knowledge, self._fold.because)
            keys = self._touched(self._fold.apply(recorded, at))
            if (self._fold.knowledge, self._fold.because) != before:
                keys = [""] if self._client.is_single else [*keys, *self._naming, ""]
            for key in dict.fromkeys(keys):
                yield from self._changed(key, at)
        yield from self._begun.values()

    def _touched(self, rules: Iterable[RuleTrack]) -> list[str]:
        """The keys of what has to be decided again."""
        keys = []
        for rule in list(rules):
            if self._client.named_by(rule.access_type, rule.access_to) is None:
                continue
            if self._fold.rules.get(rule.access_id) is rule:
                self._naming[rule.access_id] = rule
            else:
                self._naming.pop(rule.access_id, None)
            keys.append("" if self._client.is_single else rule.access_id)
        return keys

    def _changed(self, key: str, at: datetime) -> Iterator[Reach]:
        now = self._decided(key, at)
        before = self._begun.get(key)
        if before is not None and now is not None and _same(before, now):
            return
        if before is not None:
            del self._begun[key]
            if before.start < at:
                yield before.replace(end=at)
        if now is not None:
            first = before is None and self._fold.since is None
            self._begun[key] = now.replace(start=_BEGINNING) if first else now

    def _decided(self, key: str, at: datetime) -> Reach | None:
        """What is true from *at* on; None if nobody was to have access or has it."""
        if not key and not self._client.is_single:
            rules = []
        elif key:
            rules = [self._naming[key]] if key in self._naming else []
        else:
            rules = list(self._naming.values())
        order = self._orders.of(self._fold.share, self._client.access_type)
        intended, in_force, because = self._decisions(rules, order)
        if not key and self._fold.knowledge in ("none", "partial"):
            in_force, because = _ALL_UNKNOWN._replace(rules=in_force.rules), self._fold.because
            if self._fold.knowledge == "none":
                intended = _ALL_UNKNOWN
        if intended == in_force == NOTHING:
            return None
        part = rules[0].access_to if key and self._is_part(rules[0]) else self._client.name
        return Reach(
            **of_share(self._timeline, self._fold),
            client=part,
            start=at,
            end=_END,
            intended=intended.level,
            in_force=in_force.level,
            at_most=in_force.at_most,
            rules=tuple(dict.fromkeys((*in_force.rules, *intended.rules))),
            because=because,
            order=order,
        )

    def _decisions(
        self, rules: Sequence[RuleTrack], order: Order
    ) -> tuple[Decision, Decision, str | None]:
        """What was intended, what was in force, and why they differ or are not known."""
        standings = [(rule, self._fold.standing(rule)) for rule in rules]
        intended = decide((_named(r) for r, s in standings if s.intended), order)
        in_force = decide(
            (_named(r, s.in_force == "yes") for r, s in standings if s.in_force != "no"), order
        )
        reasons = [s.because for r, s in standings if s.because is not None]
        because = "; ".join(dict.fromkeys(reasons)) or None
        if because is None and "unknown" in (intended.level, in_force.level):
            because = _ORDER_UNKNOWN
        return intended, in_force, because

    def _is_part(self, rule: RuleTrack) -> bool:
        return self._client.named_by(rule.access_type, rule.access_to) == "part"


def _named(rule: RuleTrack, certain: bool = True) -> Named:
    return Named(rule.access_id, rule.access_to, rule.access_level, certain)


def _same(before: Reach, now: Reach) -> bool:
    return all(getattr(before, name) == getattr(now, name) for name in _DECIDED)
