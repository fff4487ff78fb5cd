"""The choice of a pool: filters first, then the heaviest of those that remain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from share_actors.scheduling.filters import (
    CAPACITY,
    NAMES,
    PoolState,
    RequestSpec,
    _capacity,
    refusals,
)
from share_actors.values import Placement


def place(
    asked: RequestSpec, hosts: Iterable[PoolState], *, capacity: float = 1.0, goodness: float = 1.0
) -> tuple[PoolState | None, Placement]:
    """The pool for *asked*, None if no pool will do, and what every filter said of every pool.

    *capacity* and *goodness* are how much free room and the backend's own opinion count.
    """
    known = list(hosts)
    fixed = {host.name: refusals(asked, host) for host in known}
    return decide(asked, known, fixed, capacity=capacity, goodness=goodness)


def decide(
    asked: RequestSpec,
    hosts: Sequence[PoolState],
    fixed: Mapping[str, dict[str, str]],
    *,
    capacity: float = 1.0,
    goodness: float = 1.0,
) -> tuple[PoolState | None, Placement]:
    """As `place`, with the refusals that do not depend on room given as *fixed*."""
    refused: dict[str, dict[str, str]] = {}
    fit: list[tuple[PoolState, float]] = []
    for host in hosts:
        full, room = None, host.room
        if asked.size > room:
            full = _capacity(asked, host)
        known = fixed[host.name]
        if full is not None:
            refused[host.name] = {**known, CAPACITY: full}
        elif known:
            refused[host.name] = known
        else:
            fit.append((host, room))
    most = max((room for _, room in fit), default=0.0)
    weights = {
        host.name: round(
            capacity * (room / most if most > 0 else 0.0) + goodness * host.pool.goodness / 100, 4
        )
        for host, room in fit
    }
    chosen = max(fit, key=lambda one: weights[one[0].name], default=(None, 0.0))[0]
    return chosen, Placement(filters=NAMES, refused=refused, weights=weights)


def no_valid_host(placement: Placement) -> str:
    """Why a share can be nowhere, in one sentence."""
    if not placement.refused:
        return "no valid host: no backend has told of a pool yet"
    said = (f"{pool}: {'; '.join(why.values())}" for pool, why in placement.refused.items())
    return "no valid host: " + "; ".join(said)
