"""Parsing of drivers' statistics: invalid values are reported by field and left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers import ShareDriver
from share_actors.drivers.share_stats import class_capabilities, read
from share_actors.values import Capabilities, ExportLocation, Pool, RequestContext, Share

GOOD = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 40}


def test_typed_statistics_are_read_unchanged() -> None:
    capabilities = Capabilities(
        backend_name="blue",
        driver_name="d",
        storage_protocols=("NFS",),
        access_types=("ip",),
        pools=(Pool(**GOOD),),
    )

    assert read(capabilities, "blue") == read(capabilities.model_dump(), "blue")
    assert read(capabilities, "blue").capabilities == capabilities
    assert read(capabilities, "blue").wrong == {}


def test_statistics_with_manilas_names_and_without_pools_are_one_pool() -> None:
    stats = {
        "share_backend_name": "x",
        "storage_protocol": "NFS_CIFS",
        "total_capacity_gb": 10,
        "free_capacity_gb": 4.5,
        "driver_handles_share_servers": True,
    }

    capabilities = read(stats, "blue").capabilities

    assert capabilities is not None
    assert capabilities.storage_protocols == ("NFS", "CIFS")
    assert capabilities.backend_name == "blue"
    assert capabilities.pools == (
        Pool(name="blue", total_capacity_gib=10.0, free_capacity_gib=4.5),
    )


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"total_capacity_gib": "many"}, "pools.0.total_capacity_gib", "'many' is not a number"),
        ({"free_capacity_gib": -1}, "pools.0.free_capacity_gib", "-1 is not 0 or more"),
        ({"free_capacity_gib": float("nan")}, "pools.0.free_capacity_gib", "nan"),
        ({"total_capacity_gib": float("inf")}, "pools.0.total_capacity_gib", "inf"),
        ({"total_capacity_gib": True}, "pools.0.total_capacity_gib", "True is not a number"),
        ({"reserved_percentage": 101}, "pools.0.reserved_percentage", "more than 100"),
        (
            {"max_over_subscription_ratio": 0.5},
            "pools.0.max_over_subscription_ratio",
            "less than 1",
        ),
        ({"thin_provisioning": "yes"}, "pools.0.thin_provisioning", "not true or false"),
        ({"name": ""}, "pools.0.name", "not a name"),
        ({"capabilities": 7}, "pools.0.capabilities", "not a mapping"),
    ],
)
def test_a_pool_with_an_invalid_value_is_left_out_and_reported_by_field(
    change: Any, field: str, problem: str
) -> None:
    parsed = read({"pools": [{**GOOD, **change}, {**GOOD, "name": "q"}]}, "blue")

    assert problem in parsed.wrong[field]
    assert parsed.capabilities is not None
    assert [pool.name for pool in parsed.capabilities.pools] == ["q"]


@pytest.mark.parametrize("stats", [None, {}, [], "a text", 7])
def test_a_value_that_is_not_a_statistics_mapping_is_reported(stats: Any) -> None:
    parsed = read(stats, "blue")

    assert parsed.capabilities is None
    assert "is not a statistics mapping" in parsed.wrong[""]


def test_missing_fields_invalid_pools_and_duplicate_names_are_reported() -> None:
    assert read({"pools": [{"name": "p"}]}, "b").wrong["pools.0.free_capacity_gib"] == "is missing"
    assert "is not a list" in read({"pools": 5, "x": 1}, "b").wrong["pools"]
    assert "is not a pool" in read({"pools": [5]}, "b").wrong["pools.0"]
    assert "two pools" in read({"pools": [GOOD, GOOD]}, "b").wrong["pools.1.name"]


def test_an_invalid_feature_is_reported_and_has_its_default() -> None:
    parsed = read({"pools": [GOOD], "snapshot_support": "maybe", "storage_protocols": 5}, "b")

    assert parsed.capabilities is not None
    assert parsed.capabilities.snapshot_support is True
    assert parsed.capabilities.storage_protocols == ()
    assert set(parsed.wrong) == {"snapshot_support", "storage_protocols"}


_fields = st.sampled_from([*Pool.model_fields, *Capabilities.model_fields])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_fields, inner, max_size=6),
    max_leaves=12,
)


@given(_values)
def test_any_value_is_read_without_an_exception(stats: Any) -> None:
    parsed = read(stats, "blue")

    assert parsed.capabilities is not None or parsed.wrong
    for pool in () if parsed.capabilities is None else parsed.capabilities.pools:
        assert pool.total_capacity_gib >= 0 <= pool.free_capacity_gib


class CopyingDriver(ShareDriver):
    """A driver that can create and extend shares, and reports capacities alone."""

    protocols = ("CIFS",)

    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> list[ExportLocation]:
        return []

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Nothing to do."""


def test_fields_that_a_driver_leaves_out_follow_from_its_class() -> None:
    stats = {"total_capacity_gb": 10, "free_capacity_gb": 4}
    capabilities = read(stats, "blue", class_capabilities(CopyingDriver())).capabilities

    assert capabilities is not None
    assert capabilities.storage_protocols == ("CIFS",)
    assert capabilities.extend_support
    assert not capabilities.snapshot_support
