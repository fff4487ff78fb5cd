"""Histories of a share in short words, and what is told of them."""

from __future__ import annotations

from typing import Any

from share_actors.audit.access import access_history, exposures, reach
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied
from share_actors.events.share.manage import ShareManaged, ShareManageRequested
from share_actors.values import ExportLocation, ShareSpec
from tests.audit.access.stored import GANESHA, Dated, reader_of_share, second
from tests.events.share_events import NOON, began, created, requested

THERE: Dated = [(0, requested("s1")), (5, created())]
MANAGED: Dated = [
    (
        0,
        ShareManageRequested(
            share_id="s1", spec=ShareSpec(name="home", host="local"), driver_options={}, at=NOON
        ),
    ),
    (5, ShareManaged(size=1, export_locations=(ExportLocation(path="nas:/x"),))),
]


def allowed(access_id: str, to: str, level: str = "rw", kind: str = "ip") -> Any:
    return AccessAllowed(access_id=access_id, access_type=kind, access_to=to, access_level=level)


def applied(*ids: str, removed: tuple[str, ...] = (), **failed: str) -> AccessRulesApplied:
    return AccessRulesApplied(applied=ids, removed=removed, failed=failed)


def in_force(access_id: str, to: str, at: int, level: str = "rw", kind: str = "ip") -> Dated:
    """A rule that is asked for, attempted and confirmed within two seconds."""
    rule = allowed(access_id, to, level, kind)
    return [(at, rule), (at + 1, began("access")), (at + 2, applied(access_id))]


def seconds(at: Any) -> int | None:
    return None if at is None else round((at - NOON).total_seconds())


def told(history: Dated) -> list[tuple[Any, ...]]:
    """The periods of the share as (rule, from, to, intended, in force)."""
    return [
        (p.access_id, seconds(p.start), seconds(p.end), p.intended, p.in_force)
        for p in access_history(reader_of_share(history), "s1")
    ]


def reached(history: Dated, client: str, *, driver: Dated = GANESHA) -> list[tuple[Any, ...]]:
    """What *client* reached in the first hundred seconds as (from, to, intended, in force)."""
    found = reach(reader_of_share(history, driver=driver), client, second(0), second(100))
    return [(seconds(r.start), seconds(r.end), r.intended, r.in_force) for r in found]


def gaps(history: Dated, *, driver: Dated = GANESHA) -> list[tuple[Any, ...]]:
    """The exposures as (kind, rule, asked, gone, result)."""
    return [
        (e.kind, e.access_id, seconds(e.asked_at), seconds(e.gone_at), e.result)
        for e in exposures(reader_of_share(history, driver=driver))
    ]
