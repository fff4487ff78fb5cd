"""The room in pools and their weights, by the arithmetic of Manila's capacity filter and weigher."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import place
from share_actors.values import Capabilities, Pool, ShareType

THIN: dict[str, Any] = {"thin_provisioning": True, "max_over_subscription_ratio": 2.0}
RESERVED: dict[str, Any] = {
    "reserved_percentage": 10.0,
    "reserved_snapshot_percentage": 30.0,
    "reserved_share_extend_percentage": 0.0,
}


def pool(
    total: Any = 100.0,
    free: Any = 100.0,
    *,
    name: str = "p",
    provisioned: float = 0.0,
    unmeasured: float = 0.0,
    **more: Any,
) -> PoolState:
    """A pool whose capacities may be words, as its parsed report has them."""
    known = Capabilities(
        backend_name="b", driver_name="d", storage_protocols=("NFS",), access_types=("ip",)
    )
    reported = Pool(name=name, total_capacity_gib=total, free_capacity_gib=free, **more)
    return PoolState(
        backend="b",
        capabilities=known,
        pool=reported,
        provisioned=provisioned,
        unmeasured=unmeasured,
    )


def spec(size: int = 10, **fields: Any) -> RequestSpec:
    return RequestSpec(share_id="s1", size=size, share_proto="NFS", **fields)


def typed(**specs: str) -> RequestSpec:
    return spec(share_type=ShareType(id="gold", extra_specs=specs, status="active"))


FROM_SNAPSHOT, EXTENSION = spec(snapshot_host="b#p"), spec(extends=True)
THICK_TYPE, THIN_TYPE = (typed(thin_provisioning=text) for text in ("<is> False", "True"))

ROOMS: list[tuple[RequestSpec, PoolState, float]] = [
    # thick: the free capacity less the reserved part
    (spec(), pool(), 100),
    (spec(), pool(free=40.0, **RESERVED), 30),
    (FROM_SNAPSHOT, pool(free=40.0, **RESERVED), 10),
    (EXTENSION, pool(free=40.0, **RESERVED), 40),
    (EXTENSION, pool(free=40.0, reserved_percentage=10.0), 30),
    (spec(), pool(free=40.0, unmeasured=15.0), 25),
    (spec(), pool(free=40.0, unmeasured=-15.0), 55),
    (spec(), pool(provisioned=95.0), 5),
    # thin: the ratio of what is provisioned, and of the free capacity in whole GiB
    (spec(), pool(provisioned=150.0, **THIN), 50),
    (spec(), pool(free=10.9, **THIN), 20),
    (spec(), pool(unmeasured=90.0, **THIN), 200),
    (spec(), pool(free=40.0, **THIN, **RESERVED), 60),
    (spec(), pool(provisioned=190.0, **THIN, **RESERVED), 10),
    (spec(), pool(provisioned=10.0, provisioned_capacity_gib=180.0, **THIN), 20),
    (spec(), pool(unmeasured=5.0, provisioned_capacity_gib=180.0, **THIN), 15),
    (THICK_TYPE, pool(**THIN), 100),
    (THIN_TYPE, pool(**THIN), 200),
    # unknown and infinite
    (spec(), pool("unknown", "unknown"), inf),
    (spec(), pool("unknown", "unknown"), inf),
    (spec(), pool(free="unknown", provisioned=500.0), inf),
    (spec(), pool("infinite", "infinite", **RESERVED), inf),
    (spec(), pool("infinite", "infinite", **THIN), inf),
    (spec(), pool("unknown", 40.0, unmeasured=15.0), 25),
    (spec(), pool("unknown", 40.0, **RESERVED), 0),
    (spec(), pool("infinite", 40.0), 40),
    (spec(), pool(100.0, "infinite", **THIN, provisioned=150.0), 50),
    (spec(), pool(0.0, 40.0), 0),
]


@pytest.mark.parametrize(("request_spec", "state", "room"), ROOMS)
def test_the_room_in_a_pool(request_spec: RequestSpec, state: PoolState, room: float) -> None:
    assert state.room(request_spec) == pytest.approx(room)


def test_a_pool_of_unknown_capacity_says_so_when_it_is_full() -> None:
    _, placement = place(spec(50), [pool("unknown", 40.0)])

    assert "0 of unknown GiB are provisioned" in placement.pools[0].refused["capacity"]


def test_an_extension_that_does_not_fit_says_how_much_more_it_needs() -> None:
    _, placement = place(spec(50, extends=True), [pool(free=40.0)])

    assert "50 GiB more do not fit into 40 GiB" in placement.pools[0].refused["capacity"]


# -- weights -------------------------------------------------------------------------------------
def heaviest(*pools: PoolState, **weights: Any) -> str:
    chosen, _ = place(spec(), pools, **weights)
    assert chosen is not None
    return chosen.pool.name


def test_thin_pools_are_weighed_by_what_they_may_still_provision() -> None:
    roomy = pool(name="roomy", free=90.0, provisioned=10.0, **THIN)
    free = pool(name="free", free=100.0, provisioned=120.0, **THIN)

    assert heaviest(free, roomy) == "roomy"


def test_the_reserved_part_weighs_nothing() -> None:
    assert heaviest(pool(name="a", reserved_percentage=50.0), pool(90.0, 90.0, name="b")) == "b"


def test_unknown_room_comes_last_and_infinite_room_first() -> None:
    unknown, infinite = (
        pool("unknown", "unknown", name="unknown"),
        pool("infinite", "infinite", name="infinite"),
    )
    small = pool(name="small", free=10.0)

    assert heaviest(unknown, small) == "small"
    assert heaviest(unknown, small, infinite) == "infinite"
    assert heaviest(unknown, small, capacity=-1.0) == "small"
    assert heaviest(unknown, infinite, small, capacity=-1.0) == "small"


def test_large_pools_that_differ_by_one_gib_are_told_apart() -> None:
    larger, smaller = pool(1e9, 1e9, name="larger"), pool(1e9, 1e9 - 1, name="smaller")

    assert heaviest(smaller, larger) == heaviest(larger, smaller) == "larger"


def test_pools_of_equal_weight_are_chosen_in_turn() -> None:
    pools = [pool("unknown", "unknown", name=name) for name in "abc"]
    chosen = [place(spec(), pools, turn=turn)[0] for turn in range(6)]

    assert [state.pool.name for state in chosen if state is not None] == [*"abcabc"]


@given(st.integers(2, 5), st.integers(1, 60), st.floats(1e3, 1e12), st.booleans())
def test_equal_shares_are_spread_evenly_over_equal_pools(
    pools: int, shares: int, total: float, thin: bool
) -> None:
    taken: Counter[str] = Counter()
    for turn in range(shares):
        states = [
            pool(
                total, total, name=str(n), provisioned=used, unmeasured=used, thin_provisioning=thin
            )
            for n in range(pools)
            for used in [float(taken[str(n)])]
        ]
        chosen, _ = place(spec(1), states, turn=turn)
        assert chosen is not None
        taken[chosen.pool.name] += 1

    assert max(taken.values()) - min(taken[str(n)] for n in range(pools)) <= 1
