"""Extra specs of share types: what capabilities meet them, in Manila's words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from share_actors.drivers.share_stats import read
from share_actors.scheduling.extra_specs import capability_path, check_specs, satisfies
from share_actors.scheduling.pools import PoolState
from share_actors.scheduling.weighing import place
from tests.placement import with_type

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


# -- Manila's words --------------------------------------------------------------------------------
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
