"""The choice of a pool: the heaviest of those that no filter excludes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from share_actors.scheduling.filters import CAPACITY, NAMES, refusals
from share_actors.scheduling.pools import PoolState, lack_of_room
from share_actors.scheduling.request import RequestSpec
from share_actors.values import Placement


def place(
    spec: RequestSpec,
    pools: Iterable[PoolState],
    *,
    capacity: float = 1.0,
    goodness: float = 1.0,
    turn: int = 0,
) -> tuple[PoolState | None, Placement]:
    """Choose the pool for *spec* (None if none fits), with the verdict of every filter on every pool.

    *capacity* and *goodness* are the weights of free room and of the backend's own opinion. Pools of equal
    weight are chosen in turn: the one with the number *turn* among them, counted round.
    """
    candidates = list(pools)
    fixed = {pool.name: refusals(spec, pool) for pool in candidates}
    return choose(spec, candidates, fixed, capacity=capacity, goodness=goodness, turn=turn)


def choose(
    spec: RequestSpec,
    pools: Sequence[PoolState],
    fixed: Mapping[str, dict[str, str]],
    *,
    capacity: float = 1.0,
    goodness: float = 1.0,
    turn: int = 0,
) -> tuple[PoolState | None, Placement]:
    """Choose as `place` does, with the refusals that do not depend on room given as *fixed*."""
    refused: dict[str, dict[str, str]] = {}
    fitting: list[PoolState] = []
    for pool in pools:
        full, reasons = lack_of_room(spec, pool), fixed[pool.name]
        if full is not None:
            refused[pool.name] = {**reasons, CAPACITY: full}
        elif reasons:
            refused[pool.name] = reasons
        else:
            fitting.append(pool)
    weights = _weights(spec, fitting, capacity, goodness)
    heaviest = max(weights.values(), default=0.0)
    equal = [pool for pool in fitting if weights[pool.name] == heaviest]
    chosen = equal[turn % len(equal)] if equal else None
    return chosen, Placement(filters=NAMES, refused=refused, weights=weights)


def _weights(
    spec: RequestSpec, fitting: Sequence[PoolState], capacity: float, goodness: float
) -> dict[str, float]:
    """Room counts as a part of the largest room; goodness, 0 to 100, as a part of 100."""
    if len(fitting) == 1:
        return {fitting[0].name: capacity + goodness * fitting[0].pool.goodness / 100}
    rooms = _comparable([pool.virtual_free(spec) for pool in fitting], unknown_last=capacity > 0)
    largest = max(rooms, default=0.0)
    scale = largest if largest > 0 else 1.0
    return {
        pool.name: capacity * room / scale + goodness * pool.pool.goodness / 100
        for pool, room in zip(fitting, rooms, strict=True)
    }


def _comparable(rooms: Sequence[float | None], *, unknown_last: bool) -> list[float]:
    """*rooms* as finite numbers: infinite room is the largest; unknown room (None) is never preferred."""
    finite = [room for room in rooms if room is not None and room != inf]
    infinite = max(finite, default=0.0) + 1
    smallest = min(finite, default=0.0)
    unknown = smallest - 1 if unknown_last else infinite + 1
    return [unknown if room is None else min(room, infinite) for room in rooms]


def no_valid_host(placement: Placement) -> str:
    """Describe why no pool fits, in one sentence."""
    if not placement.refused:
        return "no valid host: no backend has reported a pool yet"
    pools = (
        f"{pool}: {'; '.join(reasons.values())}" for pool, reasons in placement.refused.items()
    )
    return "no valid host: " + "; ".join(pools)
