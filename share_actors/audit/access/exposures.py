"""Exposures: access that was to end, from the request to its end on the backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from share_actors.audit.access.fold import RuleTrack, shown_text
from share_actors.audit.access.periods import share_stream
from share_actors.audit.access.reach import check_times
from share_actors.audit.access.rule_index import RuleIndex
from share_actors.audit.access.timeline import Orders, Timeline, of_share, timelines
from share_actors.audit.access.values import Exposure
from share_actors.audit.reading.reader import LogReader
from share_actors.events.envelope import Recorded

Kind = Literal["revoked", "lowered", "deleted"]
_APPLIED_AGAIN = ("partial", "complete")
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def exposures(
    reader: LogReader,
    share: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[Exposure]:
    """The exposures of all shares, or of one by id or name, that overlap `[start, end)`; by share.

    Those of one share come in the order of their ends, those that are open last. Memory holds one share.
    Raises `NotFound` or `Ambiguous` for the share, and `InvalidRequest` for the times.
    """
    first, last = check_times(start or _EVER[0], end or _EVER[1])
    stream = None if share is None else share_stream(reader, share)
    orders = Orders(reader)
    return (
        found
        for timeline in timelines(reader, stream)
        for found in exposures_of(timeline, orders)
        if _overlaps(found, first, last)
    )


def _overlaps(found: Exposure, start: datetime, end: datetime) -> bool:
    if found.asked_at >= end:
        return False
    return found.gone_at is None or found.gone_at > start or found.asked_at >= start


def exposures_of(timeline: Timeline, orders: Orders) -> Iterator[Exposure]:
    """The exposures of one share."""
    tracker = _Tracker(timeline, orders)
    for recorded, at in timeline.steps:
        yield from tracker.apply(recorded, at)
    yield from tracker.rest()


class _Tracker:
    """The open exposures of one share, by the rule that is to go, or that lowers a part of a network."""

    def __init__(self, timeline: Timeline, orders: Orders) -> None:
        self._timeline, self._orders = timeline, orders
        self._fold = timeline.fold()
        self._going: dict[str, Exposure] = {}
        self._lowering: dict[str, Exposure] = {}
        self._intended = RuleIndex()

    def apply(self, recorded: Recorded, at: datetime) -> Iterator[Exposure]:
        """Add an event that counts from *at*; the exposures that end with it."""
        before = self._fold.knowledge
        for rule in list(self._fold.apply(recorded, at)):
            known = self._fold.rules.get(rule.access_id) is rule
            intended = known and self._fold.standing(rule).intended
            self._intended.update(rule, intended)
            if intended:
                yield from self._lowered(rule, at)
            else:
                self._lowering.pop(rule.access_id, None)
                if known:
                    self._revoked(rule)
                else:
                    yield from self._left(rule.access_id, at)
        if self._fold.knowledge == "gone" or (before, self._fold.knowledge) == _APPLIED_AGAIN:
            for access_id in [i for i in self._going if i not in self._fold.rules]:
                yield from self._left(access_id, at)

    # -- rules that are to go --------------------------------------------------------------------
    def _revoked(self, rule: RuleTrack) -> None:
        found = self._going.get(rule.access_id)
        if found is None and rule.may_be:
            found = self._going_from_now(rule)
        if found is not None:
            failed = rule.reason if rule.state == "error" else self._fold.error
            self._going[rule.access_id] = found.replace(failed=failed or found.failed)

    def _going_from_now(self, rule: RuleTrack) -> Exposure:
        if rule.revoked_at is not None:
            return self._begun(rule, "revoked", rule.revoked_at, rule.revoked_by)
        assert self._fold.deleting is not None
        return self._begun(rule, "deleted", *self._fold.deleting)

    def _begun(self, rule: RuleTrack, kind: Kind, at: datetime, by: str) -> Exposure:
        return Exposure(
            **of_share(self._timeline, self._fold),
            kind=kind,
            access_id=rule.access_id,
            access_type=rule.access_type,
            access_to=rule.access_to,
            access_level=rule.access_level,
            was_in_force=self._fold.standing(rule).in_force,
            asked_at=at,
            asked_by=shown_text(by),
            gone_at=None,
            result="open",
        )

    def _left(self, access_id: str, at: datetime) -> Iterator[Exposure]:
        """A rule left the share. One of a share that is not managed now may still be on the backend."""
        if access_id in self._going and self._fold.knowledge != "none":
            yield self._ended(self._going.pop(access_id)).replace(gone_at=at, result="gone")

    def _ended(self, found: Exposure) -> Exposure:
        remains = self._intended.level(found.access_id, found.access_type, found.access_to)
        lowered = found.kind == "revoked" and (found.access_level, remains) == ("rw", "ro")
        return found.replace(remains=remains, kind="lowered" if lowered else found.kind)

    # -- rules that lower a part of a network ----------------------------------------------------
    def _lowered(self, rule: RuleTrack, at: datetime) -> Iterator[Exposure]:
        """A rule for a part of a network with rw gives it ro: until it is in force, the part has rw."""
        found = self._lowering.get(rule.access_id)
        if found is not None and rule.confirmed:
            del self._lowering[rule.access_id]
            yield found.replace(gone_at=at, result="gone")
        elif found is not None and rule.state == "error":
            self._lowering[rule.access_id] = found.replace(failed=rule.reason)
        elif found is None and not rule.may_be and self._has_rw(rule):
            begun = self._begun(rule, "lowered", rule.asked_at, rule.asked_by)
            rw = {"access_level": "rw", "was_in_force": "yes", "remains": "ro"}
            self._lowering[rule.access_id] = begun.replace(**rw)

    def _has_rw(self, rule: RuleTrack) -> bool:
        if rule.access_type != "ip" or rule.access_level != "ro":
            return False
        if self._orders.of(self._fold.share, rule.access_type) != "longest prefix":
            return False
        wider = self._intended.wider(rule.access_id, rule.access_type, rule.access_to)
        return bool(wider) and wider[0].access_level == "rw" and wider[0].may_be

    def rest(self) -> Iterator[Exposure]:
        """What has not ended in this log."""
        for access_id, found in self._going.items():
            is_open = access_id in self._fold.rules and self._fold.knowledge != "none"
            yield self._ended(found).replace(result="open" if is_open else "unknown")
        yield from self._lowering.values()
