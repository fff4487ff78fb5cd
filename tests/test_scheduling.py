"""The filter scheduler: which pool a share goes to, and the reasons against the other pools."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.scheduling.extra_specs import size_refusal, wants_thin
from share_actors.scheduling.filters import FILTERS
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
from share_actors.scheduling.weighing import no_valid_host, place
from tests.placement import gold, pool_state, spec, with_type

SERVERS: dict[str, Any] = {"driver_handles_share_servers": True}
ON_SERVER = spec(
    share_type=gold(driver_handles_share_servers="True"),
    needs_share_server=True,
)
CAPACITIES = ("total_capacity_gib", "free_capacity_gib")
SLOW_POOL = pool_state(pool={"capabilities": {"iops": 500}})
REFUSALS = [
    (spec(), pool_state(down="no report"), "backend", "no report"),
    (spec(requested_host="red"), pool_state(), "backend", "red was requested"),
    (spec(availability_zone="west"), pool_state(), "availability_zone", "in nova, not in west"),
    (spec(share_proto="CIFS"), pool_state(), "protocol", "supports NFS only"),
    (
        spec(share_proto="CIFS"),
        pool_state(storage_protocols=()),
        "protocol",
        "supports no protocol",
    ),
    (spec(needs_share_server=True), pool_state(), "share_servers", "has no share servers"),
    (spec(), pool_state(**SERVERS), "share_servers", "no share network was given"),
    (ON_SERVER, pool_state(), "share_servers", "driver_handles_share_servers=True"),
    (
        with_type(snapshot_support="True"),
        pool_state(snapshot_support=False),
        "capabilities",
        "its snapshot_support is False, and must be True",
    ),
    (
        with_type(flash="<is> True"),
        pool_state(),
        "capabilities",
        "does not report flash (required: <is> True)",
    ),
    (
        with_type(**{"capabilities:iops": ">= 900"}),
        SLOW_POOL,
        "capabilities",
        "its iops is 500",
    ),
    (spec(size=101), pool_state(), "capacity", "101 GiB do not fit into 100 GiB"),
    (spec(), pool_state(provisioned=95.0), "capacity", "95 of 100 GiB are provisioned"),
    (spec(), pool_state(pool={"free_capacity_gib": 5.0}), "capacity", "fit into 5 GiB"),
    (
        spec(),
        pool_state(pool={"free_capacity_gib": 15.0}, unmeasured=10.0),
        "capacity",
        "fit into 5 GiB",
    ),
    (spec(size=81), pool_state(pool={"reserved_percentage": 20.0}), "capacity", "fit into 80 GiB"),
    (spec(snapshot_host="red#p"), pool_state(), "snapshot", "the snapshot is on red#p"),
    (
        spec(same_host={"s0": "red#p"}),
        pool_state(),
        "affinity",
        "same_host: share s0 is on red#p",
    ),
    (
        spec(different_host={"s0": "blue#p"}),
        pool_state(),
        "anti_affinity",
        "different_host: share s0 is on this pool",
    ),
]


@pytest.mark.parametrize(("request_spec", "pool", "filter_name", "reason"), REFUSALS)
def test_each_filter_refuses_a_pool_with_its_reason(
    request_spec: RequestSpec, pool: PoolState, filter_name: str, reason: str
) -> None:
    chosen, placement = place(request_spec, [pool])

    assert chosen is None
    assert set(placement.pools[0].refused) == {filter_name}
    assert reason in placement.pools[0].refused[filter_name]
    assert reason in no_valid_host(placement)


@pytest.mark.parametrize(
    "request_spec",
    [
        spec(),
        spec(requested_host="blue"),
        spec(requested_host="blue#p"),
        spec(availability_zone="nova"),
        spec(snapshot_host="blue#p"),
        spec(same_host={"s0": "blue#p"}),
        spec(different_host={"s0": "red#p"}),
        spec(size=100),
        with_type(driver_handles_share_servers="False", snapshot_support="<is> True"),
        with_type(**{"qos:iops": "7"}),
    ],
)
def test_a_pool_that_meets_all_requirements_is_chosen(request_spec: RequestSpec) -> None:
    chosen, placement = place(request_spec, [pool_state()])

    assert chosen is not None
    assert placement.pools[0].refused == {}
    assert placement.filter_names == tuple(FILTERS)


def test_the_pool_with_the_most_room_is_chosen_unless_goodness_outweighs_it() -> None:
    small, large = pool_state("small", provisioned=50.0), pool_state("large")
    good = pool_state("good", provisioned=50.0, pool={"goodness": 90.0})

    assert place(spec(), [small, large])[0] == large
    assert place(spec(), [large, good])[0] == good
    assert place(spec(), [large, good], goodness=0.1)[0] == large


def test_a_placement_keeps_the_verdict_on_every_pool() -> None:
    pools = [pool_state("red", down="no report"), pool_state()]
    _, placement = place(spec(requested_host="blue"), pools)

    verdicts = [(p.pool, bool(p.refused), p.weight) for p in placement.pools]
    assert verdicts == [("blue#p", False, 1.0), ("red#p", True, None)]


def test_without_any_pool_the_error_says_that_none_was_reported() -> None:
    _, placement = place(spec(), [])

    assert no_valid_host(placement) == "no valid host: no backend has reported a pool yet"


def test_a_share_type_limits_the_sizes_of_its_shares() -> None:
    limits = {"provisioning:min_share_size": "5", "provisioning:max_share_size": "10"}
    limited = gold(**limits)
    extendable = gold(**limits, **{"provisioning:max_share_extend_size": "20"})

    assert "4 GiB are less than share type gold allows: 5 GiB" in str(
        size_refusal(limited, 4, "create")
    )
    assert "11 GiB are more than" in str(size_refusal(limited, 11, "create"))
    assert size_refusal(limited, 11, "extend") is not None
    assert size_refusal(limited, 11, "admin extend") is None
    assert size_refusal(limited, 4, "shrink") is not None
    assert size_refusal(limited, 11, "shrink") is None
    assert size_refusal(extendable, 11, "extend") is not None
    assert size_refusal(extendable, 20, "admin extend") is None
    assert size_refusal(extendable, 21, "admin extend") is not None
    assert size_refusal(None, 99, "create") is None


@pytest.mark.parametrize(
    ("specs", "thin"),
    [
        ({}, True),
        ({"thin_provisioning": "True"}, True),
        ({"thin_provisioning": "<is> False"}, False),
        ({"capabilities:thin_provisioning": "False"}, False),
    ],
)
def test_only_a_type_that_refuses_thin_provisioning_gets_none(
    specs: dict[str, str], thin: bool
) -> None:
    assert wants_thin(gold(**specs)) is thin


def test_a_pool_of_unknown_capacity_fits_and_is_chosen_last() -> None:
    unknown = pool_state("unknown", pool=dict.fromkeys(CAPACITIES, "unknown"))
    infinite = pool_state("infinite", pool=dict.fromkeys(CAPACITIES, "infinite"))

    assert place(spec(size=10**6), [unknown])[0] == unknown
    assert place(spec(), [unknown, pool_state()])[0] == pool_state()
    assert place(spec(), [infinite, unknown, pool_state()])[0] == infinite


def test_a_pool_has_the_protocols_that_it_reports_itself() -> None:
    pool = pool_state(pool={"capabilities": {"storage_protocol": ["CIFS"]}})

    assert place(spec(share_proto="CIFS"), [pool])[0] == pool
    assert place(spec(share_proto="NFS"), [pool])[0] is None
