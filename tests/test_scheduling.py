"""The filter scheduler: which pool a share goes to, and the reasons against the other pools."""

from __future__ import annotations

import re
from typing import Any

import pytest

from share_actors.drivers.share_stats import read
from share_actors.scheduling.extra_specs import (
    capability_path,
    check_specs,
    satisfies,
    size_refusal,
    wants_thin,
)
from share_actors.scheduling.filters import FILTERS
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.request import RequestSpec
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
    ("Gold", "gold"),
    ("gold", "s== GOLD"),
    (["SSD", "HDD"], "<or> ssd <or> nvme"),
    (["SSD", "HDD"], "<in> ss"),
    (3, "<or> 3 <or> 5"),
    (3.0, "<or> 5 <or> 3"),
    ("5000", ">= 5000"),
    ("infinite", ">= 5000"),
    (True, "<is>true"),
    ([True, False], "<is> False"),
    ("True", "<is> true"),
    (True, "<or> True <or> False"),
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
    (None, "none"),
    (None, "<in> none"),
    ("unknown", ">= 1"),
    ([], "gold"),
    ({"a": 1}, ">= 1"),
    ("maybe", "<is> False"),
]


@pytest.mark.parametrize(("value", "required"), MET)
def test_a_capability_meets_a_requirement_by_manilas_operators(value: Any, required: str) -> None:
    assert satisfies(value, required) is True


@pytest.mark.parametrize(("value", "required"), NOT_MET)
def test_a_capability_fails_a_requirement_by_manilas_operators(value: Any, required: str) -> None:
    assert satisfies(value, required) is False


# -- Manila's words ------------------------------------------------------------------------------
NAS_STATS = {
    "share_backend_name": "reported",
    "storage_protocol": "NFS_CIFS",
    "vendor_name": "NetApp",
    "snapshot_support": [True, False],
    "pools": [
        {
            "pool_name": "p",
            "total_capacity_gb": "1000",
            "free_capacity_gb": 900,
            "thin_provisioning": [True, False],
            "qos": "True",
            "disks": ["SSD", "HDD"],
            "raid": {"level": 4, "spares": {"count": "2"}},
            "tier": "Gold",
        }
    ],
}
MET_BY_NAS = {
    "share_backend_name": "nas",
    "capabilities:share_backend_name": "s== Reported",
    "pool_name": "p",
    "storage_protocol": "<in> NFS",
    "capabilities:storage_protocol": "NFS_CIFS",
    "storage_protocols": "CIFS",
    "total_capacity_gb": ">= 10",
    "total_capacity_gib": "== 1000",
    "free_capacity_gb": "<= 900",
    "vendor_name": "netapp",
    "QoS_support": "<is> True",
    "qos": "True",
    "dedupe": "<is> False",
    "ipv4_support": "True",
    "thin_provisioning": "<is> False",
    "capabilities:thin_provisioning": "True",
    "snapshot_support": "False",
    "reserved_percentage": "<= 0",
    "disks": "<in> ssd",
    "capabilities:raid:level": "= 4",
    "capabilities:raid:spares:count": ">= 2",
    "TIER": "gold",
    "netapp:anything": ">= nothing",
    "provisioning:max_share_size": "10",
    "availability_zones": "east, nova",
}
MISSED_BY_NAS = {
    "share_backend_name": "other",
    "storage_protocol": "HDFS",
    "dedupe": "<is> True",
    "ipv6_support": "True",
    "capabilities:raid:model": "x",
    "capabilities:tier:inner": "x",
    "capabilities:netapp:x": "y",
    "replication_type": "dr",
    "availability_zones": "east,west",
    "free_capacity_gb": ">= 901",
}


def nas() -> PoolState:
    capabilities = read(NAS_STATS, "nas").capabilities
    assert capabilities is not None
    return PoolState(backend="nas", capabilities=capabilities, pool=capabilities.pools[0])


@pytest.mark.parametrize(("key", "required"), MET_BY_NAS.items())
def test_an_extra_spec_is_met_by_the_capability_of_any_of_its_names(
    key: str, required: str
) -> None:
    check_specs({key: required})
    chosen, placement = place(with_type(**{key: required}), [nas()])

    assert chosen is not None, placement.refused


@pytest.mark.parametrize(("key", "required"), MISSED_BY_NAS.items())
def test_an_extra_spec_excludes_a_pool_without_the_capability(key: str, required: str) -> None:
    check_specs({key: required})

    assert place(with_type(**{key: required}), [nas()])[0] is None


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("iops", ">=5000", "a blank must follow '>=', as in '>= 5000'"),
        ("iops", "=5", "a blank must follow '='"),
        ("iops", "<5", "a blank must follow '<'"),
        ("tier", "s==gold", "a blank must follow 's=='"),
        ("disks", "<in>ssd", "a blank must follow '<in>'"),
        ("disks", "<or>ssd <or> hdd", "a blank must follow '<or>'"),
        ("disks", "<all-in> ssd hdd", "'<all-in>' is not an operator; there are: =, =="),
        ("iops", ">= many", "'many' after '>=' is not a number"),
        ("iops", "== nan", "'nan' after '==' is not a number"),
        ("iops", ">=", "'' after '>=' is not a number"),
        ("dedupe", "<is> perhaps", "'perhaps' after '<is>' is not true or false"),
        ("disks", "<or> ", "nothing follows '<or>'"),
        ("snapshot_support", "perhaps", "'perhaps' is not true or false"),
        ("mount_snapshot_support", "perhaps", "'perhaps' is not true or false"),
        ("replication_type", "full", "'full' is not one of dr, readable, writable"),
        ("availability_zones", "a,,b", "'a,,b' is not a list of zones"),
        ("provisioning:max_share_size", "0", "'0' is not a whole number of GiB, 1 or more"),
        ("provisioning:min_share_size", "1.5", "is not a whole number of GiB"),
        ("provisioning:max_size", "5", "there is no such limit; there are: provisioning:min_"),
    ],
)
def test_an_extra_spec_that_nothing_can_meet_is_refused_with_its_key_and_value(
    key: str, value: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as refused:
        check_specs({key: value})

    assert str(refused.value).startswith(f"{key}: ")


def test_limits_that_no_size_meets_are_refused() -> None:
    with pytest.raises(ValueError, match="min_share_size: '9' is more than"):
        check_specs({"provisioning:min_share_size": "9", "provisioning:max_share_size": "5"})


@pytest.mark.parametrize("value", ["gold", "s3", "a=b", "ssd", "<none>", "1024.5", "-1", "<is>no"])
def test_plain_values_are_accepted(value: str) -> None:
    check_specs({"tier": value, "capabilities:tier": value})


def test_the_scope_of_a_key_says_whose_it_is() -> None:
    assert capability_path("tier") == ("tier",)
    assert capability_path("capabilities:disks:count") == ("disks", "count")
    assert capability_path("netapp:tier") is None


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
