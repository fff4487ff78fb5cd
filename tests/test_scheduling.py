"""Which pool a share goes to, why, and why nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.scheduling.extra_specs import satisfies
from share_actors.scheduling.filters import FILTERS, PoolState, RequestSpec
from share_actors.scheduling.weighing import no_valid_host, place
from share_actors.values import Capabilities, Pool, ShareType


def host(name: str = "blue", *, down: str | None = None, provisioned: float = 0.0, since: float = 0.0,
         pool: dict[str, Any] | None = None, **said: Any) -> PoolState:  # fmt: skip
    room = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 100.0}
    told = {"driver_name": "d", "storage_protocols": ("NFS",), "access_types": ("ip",), **said}
    capabilities = Capabilities(backend_name=name, **told)
    return PoolState(
        backend=name, said=capabilities, pool=Pool(**{**room, **(pool or {})}), down=down,
        provisioned=provisioned, since=since,
    )  # fmt: skip


def request(**fields: Any) -> RequestSpec:
    return RequestSpec(**{"share_id": "s1", "size": 10, "share_proto": "NFS", **fields})


def gold(**specs: str) -> ShareType:
    return ShareType(id="gold", extra_specs=specs, status="active")


SERVERS: dict[str, Any] = {"driver_handles_share_servers": True}


@pytest.mark.parametrize(
    ("asked", "there", "by", "said"),
    [
        (request(), host(down="it is silent"), "backend", "it is silent"),
        (request(only="red"), host(), "backend", "red was asked for"),
        (request(availability_zone="west"), host(), "availability_zone", "in nova, not in west"),
        (request(share_proto="CIFS"), host(), "protocol", "speaks NFS"),
        (request(on_server=True), host(), "share_servers", "has no share servers"),
        (request(), host(**SERVERS), "share_servers", "no share network was given"),
        (request(share_type=gold(driver_handles_share_servers="True"), on_server=True), host(),
         "share_servers", "driver_handles_share_servers=True"),
        (request(share_type=gold(snapshot_support="True")), host(snapshot_support=False),
         "capabilities", "its snapshot_support is False, and must be True"),
        (request(share_type=gold(flash="<is> True")), host(), "capabilities", "nothing of flash"),
        (request(share_type=gold(**{"capabilities:iops": ">= 900"})),
         host(pool={"capabilities": {"iops": 500}}), "capabilities", "its iops is 500"),
        (request(size=101), host(), "capacity", "101 GiB do not fit into 100 GiB"),
        (request(), host(provisioned=95.0), "capacity", "95 of 100 GiB are provisioned"),
        (request(), host(pool={"free_capacity_gib": 5.0}), "capacity", "fit into 5 GiB"),
        (request(), host(pool={"free_capacity_gib": 15.0}, since=10.0), "capacity", "fit into 5 GiB"),
        (request(size=81), host(pool={"reserved_percentage": 20.0}), "capacity", "fit into 80 GiB"),
        (request(snapshot_on="red#p"), host(), "snapshot", "the snapshot is on red#p"),
        (request(same_as={"s0": "red#p"}), host(), "affinity", "s0, with which it must be, is on red#p"),
        (request(different_from={"s0": "blue#p"}), host(), "anti_affinity", "s0, from which it must be"),
    ],
)  # fmt: skip
def test_each_filter_refuses_with_its_reason(
    asked: RequestSpec, there: PoolState, by: str, said: str
) -> None:
    chosen, placement = place(asked, [there])

    assert chosen is None
    assert set(placement.pools[0].refused) == {by}
    assert said in placement.pools[0].refused[by]
    assert said in no_valid_host(placement)


@pytest.mark.parametrize(
    "asked",
    [
        request(), request(only="blue"), request(only="blue#p"), request(availability_zone="nova"),
        request(snapshot_on="blue#p"), request(same_as={"s0": "blue#p"}),
        request(different_from={"s0": "red#p"}), request(size=100),
        request(share_type=gold(driver_handles_share_servers="False", snapshot_support="<is> True")),
        request(share_type=gold(**{"qos:iops": "7"})),
    ],
)  # fmt: skip
def test_a_pool_that_meets_all_is_chosen(asked: RequestSpec) -> None:
    chosen, placement = place(asked, [host()])

    assert chosen is not None
    assert placement.pools[0].refused == {}
    assert placement.asked == tuple(FILTERS)


def test_thin_pools_may_promise_more_than_they_have() -> None:
    thin = {"thin_provisioning": True, "max_over_subscription_ratio": 2.0}

    assert host(provisioned=150.0, pool=thin).room == 50.0
    assert host(provisioned=0.0, pool={**thin, "free_capacity_gib": 10.0}).room == 20.0
    assert host(since=90.0, pool=thin).room == 200.0


def test_the_pool_with_the_most_room_wins_unless_a_backend_thinks_better_of_itself() -> None:
    small, large = host("small", provisioned=50.0), host("large")
    keen = host("keen", provisioned=50.0, pool={"goodness": 90.0})

    assert place(request(), [small, large])[0] == large
    assert place(request(), [large, keen])[0] == keen
    assert place(request(), [large, keen], goodness=0.1)[0] == large


def test_the_verdict_on_every_pool_is_kept() -> None:
    _, placement = place(request(only="blue"), [host("red", down="silent"), host()])

    assert [(p.pool, bool(p.refused), p.weight) for p in placement.pools] == [
        ("blue#p", False, 1.0), ("red#p", True, None),
    ]  # fmt: skip


def test_without_any_pool_the_reason_is_that() -> None:
    assert (
        no_valid_host(place(request(), [])[1]) == "no valid host: no backend has told of a pool yet"
    )


@pytest.mark.parametrize(
    ("said", "wanted", "met"),
    [
        (True, "<is> True", True), (False, "<is> true", False), ("True", "True", True), (True, "yes", True),
        (5, "= 4", True), (3, "= 4", False), (5, "== 5.0", True), (5, "!= 5", False), (5, ">= 5", True),
        (5, "<= 4", False), (5, "> 4", True), (5, "< 4", False), ("x", ">= 4", False), (True, ">= 0", False),
        ("abc", "s== abc", True), ("abc", "s!= abc", False), ("b", "s> a", True), ("a", "s>= b", False),
        ("a", "s< b", True), ("a", "s<= a", True), ("xyz", "<in> y", True), ("xyz", "<in> q", False),
        ("b", "<or> a <or> b", True), ("c", "<or> a <or> b", False), ("7", "7.0", True),
        ("gold", "gold", True),
        (("NFS", "CIFS"), "CIFS", True), (["NFS"], "CIFS", False), (None, "gold", False),
    ],
)  # fmt: skip
def test_requirements_mean_what_they_mean_in_manila(said: Any, wanted: str, met: bool) -> None:
    assert satisfies(said, wanted) is met
