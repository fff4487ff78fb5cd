"""The choice of a pool: the heaviest of those that no filter excludes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isinf

from share_actors.scheduling.filters import (
    CAPACITY,
    NAMES,
    PoolState,
    RequestSpec,
    lack_of_room,
    refusals,
)
from share_actors.values import Placement


def place(
    spec: RequestSpec, pools: Iterable[PoolState], *, capacity: float = 1.0, goodness: float = 1.0
) -> tuple[PoolState | None, Placement]:
    """Choose the pool for *spec* (None if none fits), with the verdict of every filter on every pool.

    *capacity* and *goodness* are the weights of free room and of the backend's own opinion.
    """
    candidates = list(pools)
    fixed = {pool.name: refusals(spec, pool) for pool in candidates}
    return choose(spec, candidates, fixed, capacity=capacity, goodness=goodness)


def choose(
    spec: RequestSpec,
    pools: Sequence[PoolState],
    fixed: Mapping[str, dict[str, str]],
    *,
    capacity: float = 1.0,
    goodness: float = 1.0,
) -> tuple[PoolState | None, Placement]:
    """Choose as `place` does, with the refusals that do not depend on room given as *fixed*."""
    refused: dict[str, dict[str, str]] = {}
    fitting: list[tuple[PoolState, float]] = []
    for pool in pools:
        room, reasons = pool.room, fixed[pool.name]
        full = lack_of_room(spec, pool) if spec.size > room else None
        if full is not None:
            refused[pool.name] = {**reasons, CAPACITY: full}
        elif reasons:
            refused[pool.name] = reasons
        else:
            fitting.append((pool, room))
    weights = _weights(fitting, capacity, goodness)
    chosen = max((pool for pool, _ in fitting), key=lambda pool: weights[pool.name], default=None)
    return chosen, Placement(filters=NAMES, refused=refused, weights=weights)


def _weights(
    fitting: Sequence[tuple[PoolState, float]], capacity: float, goodness: float
) -> dict[str, float]:
    """Room counts as a part of the largest room; goodness, 0 to 100, as a part of 100."""
    largest = max((room for _, room in fitting if not isinf(room)), default=0.0)
    return {
        pool.name: round(
            capacity * _part(pool, room, largest) + goodness * pool.pool.goodness / 100,
            4,
        )
        for pool, room in fitting
    }


def _part(pool: PoolState, room: float, largest: float) -> float:
    """*room* as a part of *largest*: all of it if it is infinite, none if it is unknown."""
    if isinf(room):
        return 0.0 if pool.pool.free_capacity_gib == "unknown" else 1.0
    return room / largest if largest > 0 else 0.0


def no_valid_host(placement: Placement) -> str:
    """Describe why no pool fits, in one sentence."""
    if not placement.refused:
        return "no valid host: no backend has reported a pool yet"
    pools = (
        f"{pool}: {'; '.join(reasons.values())}" for pool, reasons in placement.refused.items()
    )
    return "no valid host: " + "; ".join(pools)
