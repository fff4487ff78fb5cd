"""The rows of a page: each has a name and spans of time in which access was intended, in force, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from share_actors.audit.access.fold import shown_text
from share_actors.audit.access.periods import precedence
from share_actors.audit.access.values import AccessPeriod, Exposure, OfShare, Reach

UNKNOWN = "?"
Bar = str | None
"""`rw`, `ro`, or `?` for not known; None for nothing."""


class Span(NamedTuple):
    """A span of a row; None for a time that is not in the log."""

    start: datetime | None
    end: datetime | None
    intended: Bar
    in_force: Bar
    at_most: Bar
    text: str
    """Why, and by which rules."""


class Lane(NamedTuple):
    """A row of the page."""

    name: str
    detail: str
    spans: tuple[Span, ...]


def history_lanes(periods: Iterable[AccessPeriod]) -> Iterator[Lane]:
    """One row for each rule of a share, the smallest networks first."""
    ordered = sorted(periods, key=lambda p: (*precedence(p), p.start is not None, str(p.start)))
    for _, group in groupby(ordered, key=lambda p: (p.snapshot_id, p.access_id)):
        rule = list(group)
        yield Lane(_client(rule[0]), _rule_detail(rule[0]), tuple(map(_rule_span, rule)))


def _client(period: AccessPeriod) -> str:
    of = f" (snapshot {period.snapshot_id})" if period.snapshot_id else ""
    if period.access_to is None:
        return shown_text(f"all other clients{of}")
    kind = "" if period.access_type == "ip" else f"{period.access_type} "
    return shown_text(f"{kind}{period.access_to}{of}")


def _rule_detail(period: AccessPeriod) -> str:
    if period.access_id is None:
        return "not named by a rule"
    who = f"asked for by {period.asked_by}" if period.asked_by else ""
    return shown_text(f"{period.access_level} {who}, rule {period.access_id}")


def _rule_span(period: AccessPeriod) -> Span:
    level = period.access_level or UNKNOWN
    intended = UNKNOWN if period.intended is None else level if period.intended else None
    in_force = {"yes": level, "no": None, "unknown": UNKNOWN}[period.in_force]
    at_most = None if in_force is None else period.access_level or "rw"
    return Span(period.start, period.end, intended, in_force, at_most, period.because or "")


def reach_lanes(found: Iterable[Reach]) -> Iterator[Lane]:
    """One row for each share, and of a network for each part that a rule names."""
    for _, group in groupby(found, key=lambda r: (r.share_id, r.snapshot_id)):
        parts: dict[tuple[str, str], list[Reach]] = {}
        for one in group:
            key = one.rules[0] if "/" in one.client and one.rules else ""
            parts.setdefault((one.client, key), []).append(one)
        for (client, _), rows in parts.items():
            yield Lane(
                _share(rows[0]),
                shown_text(f"{client} in project {rows[0].project_id} on {rows[0].backend}"),
                tuple(_reach_span(row) for row in rows),
            )


def _share(of: OfShare) -> str:
    snapshot = f", snapshot {of.snapshot_id}" if of.snapshot_id else ""
    return shown_text(f"{of.share_name or of.share_id}{snapshot}")


def _reach_span(row: Reach) -> Span:
    rules = f"rule {', '.join(row.rules)}" if row.rules else ""
    text = "; ".join(filter(None, (row.because, rules)))
    return Span(row.start, row.end, _bar(row.intended), _bar(row.in_force), row.at_most, text)


def _bar(level: str | None) -> Bar:
    return UNKNOWN if level == "unknown" else level


def exposure_lanes(found: Iterable[Exposure]) -> Iterator[Lane]:
    """One row for each exposure."""
    for one in found:
        in_force = one.access_level if one.was_in_force == "yes" else UNKNOWN
        left = f"{one.kind}, asked for by {one.asked_by}"
        text = "; ".join(filter(None, (one.result, one.failed, f"rule {one.access_id}")))
        # a gap of no length is shown as one of its beginning
        span = Span(
            one.asked_at, one.gone_at, one.remains, in_force, one.access_level, shown_text(text)
        )
        client = f"{one.access_type} {one.access_to} {one.access_level}"
        yield Lane(shown_text(f"{_share(one)}: {client}"), shown_text(left), (span,))
