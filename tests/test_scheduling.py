"""The filter scheduler: which pool a share goes to, and the reasons against the other pools."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.scheduling.extra_specs import satisfies
from share_actors.scheduling.filters import FILTERS, PoolState, RequestSpec
from share_actors.scheduling.weighing import no_valid_host, place
from share_actors.values import Capabilities, Pool, ShareType


def pool_state(
    backend: str = "blue", *, pool: dict[str, Any] | None = None, **properties: Any
) -> PoolState:
    """Pool `p` of 100 free GiB; *properties* are of the pool state or of its capabilities."""
    state = {k: properties.pop(k) for k in ("down", "provisioned", "unmeasured") if k in properties}
    defaults = {"driver_name": "d", "storage_protocols": ("NFS",), "access_types": ("ip",)}
    room = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 100.0}
    return PoolState(
        backend=backend,
        capabilities=Capabilities(**{"backend_name": backend, **defaults, **properties}),
        pool=Pool(**{**room, **(pool or {})}),
        **state,
    )


def spec(**fields: Any) -> RequestSpec:
    return RequestSpec(**{"share_id": "s1", "size": 10, "share_proto": "NFS", **fields})


def gold(**specs: str) -> ShareType:
    return ShareType(id="gold", extra_specs=specs, status="active")


def with_type(**specs: str) -> RequestSpec:
    return spec(share_type=gold(**specs))


SERVERS: dict[str, Any] = {"driver_handles_share_servers": True}
ON_SERVER = spec(
    share_type=gold(driver_handles_share_servers="True"),
    needs_share_server=True,
)
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


def test_a_thin_pool_may_provision_more_than_its_capacity() -> None:
    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 2.0}

    assert pool_state(provisioned=150.0, pool=thin).room == 50.0
    assert pool_state(provisioned=0.0, pool={**thin, "free_capacity_gib": 10.0}).room == 20.0
    assert pool_state(unmeasured=90.0, pool=thin).room == 200.0


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


MET: list[tuple[Any, str]] = [
    (True, "<is> True"),
    ("True", "True"),
    (True, "yes"),
    (5, "= 4"),
    (5, "== 5.0"),
    (5, ">= 5"),
    (5, "> 4"),
    ("abc", "s== abc"),
    ("b", "s> a"),
    ("a", "s< b"),
    ("a", "s<= a"),
    ("xyz", "<in> y"),
    ("b", "<or> a <or> b"),
    ("7", "7.0"),
    ("gold", "gold"),
    (("NFS", "CIFS"), "CIFS"),
]
NOT_MET: list[tuple[Any, str]] = [
    (False, "<is> true"),
    (3, "= 4"),
    (5, "!= 5"),
    (5, "<= 4"),
    (5, "< 4"),
    ("x", ">= 4"),
    (True, ">= 0"),
    ("abc", "s!= abc"),
    ("a", "s>= b"),
    ("xyz", "<in> q"),
    ("c", "<or> a <or> b"),
    (["NFS"], "CIFS"),
    (None, "gold"),
]


@pytest.mark.parametrize(("value", "required"), MET)
def test_a_capability_meets_a_requirement_by_manilas_operators(value: Any, required: str) -> None:
    assert satisfies(value, required) is True


@pytest.mark.parametrize(("value", "required"), NOT_MET)
def test_a_capability_fails_a_requirement_by_manilas_operators(value: Any, required: str) -> None:
    assert satisfies(value, required) is False
