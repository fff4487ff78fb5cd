"""What drivers say of their backends is read with care: nonsense is told by field, and does no harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers.share_stats import read
from share_actors.values import Capabilities, Pool

GOOD = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 40}


def test_typed_statistics_are_read_as_they_are() -> None:
    said = Capabilities(
        backend_name="blue", driver_name="d", storage_protocols=("NFS",), access_types=("ip",),
        pools=(Pool(**GOOD),),
    )  # fmt: skip

    assert read(said, "blue") == read(said.model_dump(), "blue")
    assert read(said, "blue").capabilities == said
    assert read(said, "blue").wrong == {}


def test_manilas_names_and_a_backend_without_pools_are_understood() -> None:
    said = {
        "share_backend_name": "x", "storage_protocol": "NFS_CIFS", "total_capacity_gb": 10,
        "free_capacity_gb": 4.5, "driver_handles_share_servers": True,
    }  # fmt: skip
    told = read(said, "blue").capabilities

    assert told is not None
    assert told.storage_protocols == ("NFS", "CIFS")
    assert told.backend_name == "blue"
    assert told.pools == (Pool(name="blue", total_capacity_gib=10.0, free_capacity_gib=4.5),)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"total_capacity_gib": "many"}, "pools.0.total_capacity_gib", "'many' is no number"),
        ({"free_capacity_gib": -1}, "pools.0.free_capacity_gib", "-1 is not 0 or more"),
        ({"free_capacity_gib": float("nan")}, "pools.0.free_capacity_gib", "nan"),
        ({"total_capacity_gib": float("inf")}, "pools.0.total_capacity_gib", "inf"),
        ({"total_capacity_gib": True}, "pools.0.total_capacity_gib", "True is no number"),
        ({"reserved_percentage": 101}, "pools.0.reserved_percentage", "more than 100"),
        (
            {"max_over_subscription_ratio": 0.5},
            "pools.0.max_over_subscription_ratio",
            "less than 1",
        ),
        ({"thin_provisioning": "yes"}, "pools.0.thin_provisioning", "not true or false"),
        ({"name": ""}, "pools.0.name", "no name"),
        ({"capabilities": 7}, "pools.0.capabilities", "no mapping"),
    ],
)
def test_a_pool_with_nonsense_is_left_out_and_told_by_field(
    change: Any, field: str, said: str
) -> None:
    told = read({"pools": [{**GOOD, **change}, {**GOOD, "name": "q"}]}, "blue")

    assert said in told.wrong[field]
    assert told.capabilities is not None
    assert [pool.name for pool in told.capabilities.pools] == ["q"]


@pytest.mark.parametrize("said", [None, {}, [], "all is well", 7])
def test_what_is_no_statistics_at_all_is_said_to_be_none(said: Any) -> None:
    told = read(said, "blue")

    assert told.capabilities is None
    assert "is no statistics" in told.wrong[""]


def test_missing_fields_pools_that_are_none_and_names_used_twice_are_told() -> None:
    assert read({"pools": [{"name": "p"}]}, "b").wrong["pools.0.free_capacity_gib"] == "is missing"
    assert "no list" in read({"pools": 5, "x": 1}, "b").wrong["pools"]
    assert "no pool" in read({"pools": [5]}, "b").wrong["pools.0"]
    assert "two pools" in read({"pools": [GOOD, GOOD]}, "b").wrong["pools.1.name"]


def test_a_wrong_feature_is_told_and_its_default_stands() -> None:
    told = read({"pools": [GOOD], "snapshot_support": "maybe", "storage_protocols": 5}, "b")

    assert told.capabilities is not None
    assert told.capabilities.snapshot_support is True
    assert told.capabilities.storage_protocols == ()
    assert set(told.wrong) == {"snapshot_support", "storage_protocols"}


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*Pool.model_fields, *Capabilities.model_fields]), inner, max_size=6
    ),
    max_leaves=12,
)  # fmt: skip


@given(_anything)
def test_whatever_a_driver_says_is_read_without_an_exception(said: Any) -> None:
    told = read(said, "blue")

    assert told.capabilities is not None or told.wrong
    for pool in () if told.capabilities is None else told.capabilities.pools:
        assert pool.total_capacity_gib >= 0 <= pool.free_capacity_gib
