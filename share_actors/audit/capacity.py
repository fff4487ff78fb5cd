"""The capacity of a backend and of each pool over time, from the events that its reports came to. Pure.

Reports come each period, but only news are events: a pool whose free or allocated capacity changed by more
than a tenth of its total, one that is new, and a backend that went down or came up. Between two points the
capacity is that of the earlier one, give or take a tenth of the total.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from share_actors.events.backend import BackendChanged, BackendDown, BackendUp
from share_actors.events.envelope import Recorded
from share_actors.events.news import SMALL_CHANGE
from share_actors.values import Frozen, Pool, gib

RESOLUTION = SMALL_CHANGE
"""A change of no more than this part of a pool's total capacity is not recorded."""


class CapacityPoint(Frozen):
    """The capacity of a backend (all pools together) or of one pool, in GiB, from *at* until the next point.

    None for a number that the backend does not report or that has no limit; all are None while it is down.
    """

    at: datetime
    up: bool
    total: float | None = None
    free: float | None = None
    allocated: float | None = None

    @property
    def used(self) -> float | None:
        """What is not free of the total."""
        return None if self.total is None or self.free is None else self.total - self.free


def capacity_history(
    history: Iterable[Recorded], since: datetime | None, until: datetime | None, limit: int
) -> Sequence[CapacityPoint]:
    """The latest *limit* points of *history* from *since* until *until*, the oldest first.

    The point in force at *since* comes first although it is earlier.
    """
    found = (_point(recorded.event) for recorded in history)
    return _latest((point for point in found if point is not None), since, until, limit)


def pool_histories(
    history: Iterable[Recorded], since: datetime | None, until: datetime | None, limit: int
) -> dict[str, Sequence[CapacityPoint]]:
    """The points of each pool by its name, as of `capacity_history`; while a pool is away it is not *up*."""
    points: dict[str, list[CapacityPoint]] = {}
    for recorded in history:
        point = _point(recorded.event)
        if point is None:
            continue
        reported = _pools(recorded.event)
        for name in {**points, **reported}:
            away = CapacityPoint(at=point.at, up=False)
            points.setdefault(name, []).append(reported.get(name, away))
    return {name: _latest(found, since, until, limit) for name, found in points.items()}


def _latest(
    found: Iterable[CapacityPoint], since: datetime | None, until: datetime | None, limit: int
) -> Sequence[CapacityPoint]:
    points: list[CapacityPoint] = []
    for point in found:
        if until is not None and point.at > until:
            continue
        if since is not None and point.at <= since:
            points.clear()
        if not points or points[-1].replace(at=point.at) != point:
            points.append(point)
    return points[-limit:]


def _pools(event: object) -> dict[str, CapacityPoint]:
    match event:
        case (
            BackendUp(capabilities=capabilities, at=at)
            | BackendChanged(capabilities=capabilities, at=at)
        ):
            return {pool.name: _of((pool,), at) for pool in capabilities.pools}
        case _:
            return {}


def _point(event: object) -> CapacityPoint | None:
    match event:
        case (
            BackendUp(capabilities=capabilities, at=at)
            | BackendChanged(capabilities=capabilities, at=at)
        ):
            return _of(capabilities.pools, at)
        case BackendDown(at=at):
            return CapacityPoint(at=at, up=False)
        case _:
            return None


def _of(pools: Sequence[Pool], at: datetime) -> CapacityPoint:
    return CapacityPoint(
        at=at,
        up=True,
        total=_sum(gib(pool.total_capacity_gib) for pool in pools),
        free=_sum(gib(pool.free_capacity_gib) for pool in pools),
        allocated=_sum(gib(pool.allocated_capacity_gib) for pool in pools),
    )


def _sum(numbers: Iterable[float]) -> float | None:
    total = sum(numbers)
    return total if math.isfinite(total) else None
