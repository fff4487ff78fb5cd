"""Reading of drivers' statistics: in Manila's words; what is odd is reported by field and has its default."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.drivers.share_stats import class_capabilities, read
from share_actors.values import Capabilities, ExportLocation, Pool, RequestContext, Share, gib
from share_actors.values.manila import BACKEND, POOL, STATISTICS
from tests.drivers.whole import WholeDriver

GOOD = {"name": "p", "total_capacity_gib": 100.0, "free_capacity_gib": 40}


def capabilities_of(stats: Any) -> Capabilities:
    """What backend blue has if its driver reports *stats*."""
    parsed = read(stats, "blue")
    assert parsed.capabilities is not None
    return parsed.capabilities


def pool_of(**stats: Any) -> Pool:
    [pool] = capabilities_of({"pools": [{**GOOD, **stats}]}).pools
    return pool


def test_the_class_declares_which_rules_the_shares_of_each_protocol_can_have() -> None:
    driver = BtrfsDriver(
        configuration=BtrfsDriver.Options(device=Path("/none/image"), root=Path("/none/root"))
    )

    parsed = read({}, "blue", class_capabilities(driver))

    assert parsed.capabilities is not None
    assert parsed.capabilities.access_support == {"NFS": {"ip": ("rw", "ro")}}


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

    capabilities = capabilities_of(stats)

    assert capabilities.storage_protocols == ("NFS", "CIFS")
    assert capabilities.backend_name == "blue"
    assert capabilities.pools == (
        Pool(name="blue", total_capacity_gib=10.0, free_capacity_gib=4.5),
    )


# -- words ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["total_capacity_gb", "free_capacity_gb", "total_capacity_gib"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("unknown", "unknown"),
        ("infinite", "infinite"),
        (" Infinite ", "infinite"),
        (math.inf, "infinite"),
        ("1024.5", 1024.5),
        ("1e3", 1000.0),
        (Decimal("7.5"), 7.5),
        (0, 0.0),
    ],
)
def test_a_capacity_is_a_number_its_text_or_one_of_manilas_words(
    key: str, value: Any, expected: Any
) -> None:
    stats = {"total_capacity_gb": 1, "free_capacity_gb": 1, key: value}
    field = STATISTICS[key].field

    assert capabilities_of(stats).pools[0][field] == expected
    assert read(stats, "blue").wrong == {}


@given(st.floats(0, 1e12), st.booleans())
def test_a_number_is_read_from_its_text_as_well(number: float, as_text: bool) -> None:
    reported = f" {number!r} " if as_text else number

    assert pool_of(free_capacity_gib=reported).free_capacity_gib == number


@pytest.mark.parametrize("key", [row.key for row in POOL if row.field == "thin_provisioning"])
@pytest.mark.parametrize("text", ["True", "true", "<is> True", "<is>true", "yes", "on", "1", 1])
def test_a_boolean_is_read_from_any_of_its_spellings(key: str, text: Any) -> None:
    assert pool_of(**{key: text}).thin_provisioning is True
    assert capabilities_of({"dedupe": text}).capabilities["dedupe"] is True


@pytest.mark.parametrize("text", ["False", "<is> False", "no", "off", "0", 0])
def test_a_boolean_that_is_false_is_read_from_any_of_its_spellings(text: Any) -> None:
    assert pool_of(thin_provisioning=text).thin_provisioning is False
    assert capabilities_of({"snapshot_support": text}).snapshot_support is False


def test_a_list_of_booleans_is_true_and_kept_for_share_types() -> None:
    pool = pool_of(thin_provisioning=[True, "False"], dedupe=[True, False])

    assert pool.thin_provisioning is True
    assert pool.capabilities == {"thin_provisioning": [True, False], "dedupe": [True, False]}
    assert capabilities_of({"snapshot_support": [False]}).snapshot_support is False


@pytest.mark.parametrize(
    "value", ["NFS_CIFS", "nfs_cifs", "NFS,CIFS", "NFS / SMB", ["NFS", "cifs"], ("NFS_CIFS",)]
)
def test_storage_protocols_are_read_in_any_spelling(value: Any) -> None:
    assert capabilities_of({"storage_protocol": value}).storage_protocols == ("NFS", "CIFS")


def test_a_value_of_none_is_left_out() -> None:
    pool = pool_of(provisioned_capacity_gb=None, max_over_subscription_ratio=None)

    assert pool == Pool(**GOOD)
    assert read({"pools": [{**GOOD, "dedupe": None}], "storage_protocol": None}, "b").wrong == {}


def test_a_thin_pool_without_a_ratio_has_manilas() -> None:
    assert pool_of(thin_provisioning=True).max_over_subscription_ratio == 20.0
    assert pool_of(max_over_subscription_ratio="3.5").max_over_subscription_ratio == 3.5


def test_vendor_capabilities_stand_beside_the_others() -> None:
    pool = {**GOOD, "netapp_raid_type": "raid4", "disks": {"count": 3}, "QoS_support": "True"}
    capabilities = capabilities_of(
        {"vendor_name": "NetApp", "driver_version": 3.0, "pools": [pool]}
    )

    assert capabilities.capabilities == {"vendor_name": "NetApp", "driver_version": "3.0"}
    assert capabilities.pools[0].capabilities == {
        "netapp_raid_type": "raid4",
        "disks": {"count": 3},
        "qos": True,
    }


def test_a_pool_takes_over_reserved_space_and_thin_provisioning_of_its_backend() -> None:
    common = {"reserved_percentage": "10%", "thin_provisioning": True, "total_capacity_gb": 5}
    [one, two] = capabilities_of(
        {**common, "pools": [GOOD, {**GOOD, "name": "q", "thin_provisioning": False}]}
    ).pools

    assert (one.reserved_percentage, one.thin_provisioning) == (10.0, True)
    assert (two.reserved_percentage, two.thin_provisioning) == (10.0, False)
    assert (one.total_capacity_gib, one.reserved_snapshot_percentage) == (100.0, None)


@pytest.mark.parametrize("stats", [None, {}])
def test_a_driver_without_statistics_is_one_pool_of_unknown_capacity(stats: Any) -> None:
    parsed = read(stats, "blue")

    assert capabilities_of(stats).pools == (
        Pool(name="blue", total_capacity_gib="unknown", free_capacity_gib="unknown"),
    )
    assert parsed.wrong == {}


# -- what is odd ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "value", "used", "problem"),
    [
        ("total_capacity_gib", "many", "unknown", "'many' is not a number; 'unknown' is used"),
        ("free_capacity_gib", -1, 0.0, "-1 is not 0 or more; 0 is used"),
        ("free_capacity_gib", math.nan, "unknown", "nan is not a number; 'unknown' is used"),
        ("free_capacity_gb", [5], "unknown", "[5] is not a number; 'unknown' is used"),
        ("free_capacity_gb", b"5", "unknown", "b'5' is not a number; 'unknown' is used"),
        ("total_capacity_gib", True, "unknown", "True is not a number; 'unknown' is used"),
        ("total_capacity_gb", 1e308, "infinite", "1e+308 is more than 1e+15 GiB; 'infinite' is"),
        ("total_capacity_gb", 10**400, "unknown", "is not a number; 'unknown' is used"),
        ("allocated_capacity_gb", "x", 0.0, "'x' is not a number; 0 is used"),
        ("reserved_percentage", 101, 100.0, "101 is more than 100; 100 is used"),
        ("reserved_snapshot_percentage", "x", None, "'x' is not a number; it is ignored"),
        ("max_over_subscription_ratio", 0.5, 1.0, "0.5 is less than 1; 1 is used"),
        ("thin_provisioning", "perhaps", False, "'perhaps' is not true or false; False is used"),
        ("thin_provisioning", [True, "perhaps"], False, "is not true or false; False is used"),
        ("capabilities", 7, {}, "7 is not a mapping; it is ignored"),
    ],
)
def test_an_odd_value_has_its_default_and_is_reported_by_field(
    key: str, value: Any, used: Any, problem: str
) -> None:
    pool = {k: v for k, v in GOOD.items() if k.removesuffix("gib") != key.removesuffix("gb")}
    parsed = read({"pools": [{**pool, key: value}, {**GOOD, "name": "q"}]}, "blue")

    assert problem in parsed.wrong[f"pools.0.{key}"]
    assert parsed.capabilities is not None
    assert [pool.name for pool in parsed.capabilities.pools] == ["p", "q"]
    assert parsed.capabilities.pools[0][STATISTICS[key].field if key in STATISTICS else key] == used


@pytest.mark.parametrize("value", [b"\xff", math.nan, math.inf, 2**64, object(), [[[[[[[1]]]]]]]])
def test_a_capability_that_has_no_json_form_is_ignored_and_reported(value: Any) -> None:
    for stats in ({"x": value}, {"capabilities": {"x": value}}):
        parsed = read(stats, "blue")

        assert [problem.endswith("it is ignored") for problem in parsed.wrong.values()] == [True]
        assert capabilities_of(stats).capabilities == {}


def test_a_set_is_a_list_in_a_fixed_order_and_odd_characters_are_replaced() -> None:
    capabilities = capabilities_of({"disks": {"b", "a"}, "note": "a\udcff\x1b[0m"}).capabilities

    assert capabilities == {"disks": ["a", "b"], "note": "a??[0m"}


@pytest.mark.parametrize("stats", [[], "a text", 7])
def test_a_value_that_is_not_a_statistics_mapping_is_reported(stats: Any) -> None:
    parsed = read(stats, "blue")

    assert parsed.capabilities is None
    assert "is not a statistics mapping" in parsed.wrong[""]


def test_missing_fields_and_what_is_not_a_pool_are_reported() -> None:
    missing = read({"pools": [{"name": "p"}, {"x": 1}]}, "b")

    assert missing.wrong["pools.0.free_capacity_gib"] == "is missing; 'unknown' is used"
    assert missing.wrong["pools.1.name"] == "is missing; 'b-1' is used"
    assert "is not a list" in read({"pools": 5, "x": 1}, "b").wrong["pools"]
    assert "is not a pool" in read({"pools": [5]}, "b").wrong["pools.0"]
    assert "two pools" in read({"pools": [GOOD, GOOD]}, "b").wrong["pools.1.name"]


def test_pools_that_are_no_list_are_one_pool_with_what_the_backend_reports() -> None:
    stats = {"pools": 5, "total_capacity_gb": 10, "free_capacity_gb": 4}

    assert [pool.total_capacity_gib for pool in capabilities_of(stats).pools] == [10.0]


def test_an_invalid_feature_is_reported_and_has_its_default() -> None:
    parsed = read({"pools": [GOOD], "snapshot_support": "maybe", "storage_protocols": 5}, "b")

    assert parsed.capabilities is not None
    assert parsed.capabilities.snapshot_support is True
    assert parsed.capabilities.storage_protocols == ()
    assert set(parsed.wrong) == {"snapshot_support", "storage_protocols"}


# -- any statistics ------------------------------------------------------------------------------
_keys = st.sampled_from([*STATISTICS, "pools", "capabilities"]) | st.text(max_size=4)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.sampled_from(["unknown", "infinite", "<is> True", "True", "NFS_CIFS", "1024.5", "-1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(_keys, inner, max_size=6)
    ),
    max_leaves=12,
)
_pools = st.lists(st.dictionaries(_keys, _values, max_size=8), max_size=4)


@given(_values)
def test_any_value_is_read_without_an_exception(stats: Any) -> None:
    parsed = read(stats, "blue")

    assert parsed.capabilities is not None or parsed.wrong
    for pool in () if parsed.capabilities is None else parsed.capabilities.pools:
        assert gib(pool.total_capacity_gib) >= 0 <= gib(pool.free_capacity_gib)


@given(st.dictionaries(_keys, _values, max_size=8), st.none() | _pools)
def test_no_statistics_drop_a_pool(stats: dict[str, Any], pools: list[Any] | None) -> None:
    capabilities = capabilities_of({**stats, "pools": pools})

    named = {p["name"] for p in pools or () if isinstance(p.get("name"), str)}
    names = {pool.name for pool in capabilities.pools}
    assert {name for name in named if name and name.isprintable()} <= names
    assert names or pools == []


@given(st.dictionaries(_keys, _values, max_size=8), st.none() | _pools)
def test_any_statistics_are_written_as_json_and_read_again_as_they_are(
    stats: dict[str, Any], pools: list[Any] | None
) -> None:
    capabilities = capabilities_of({**stats, "pools": pools})

    assert Capabilities.model_validate_json(capabilities.model_dump_json()) == capabilities
    assert read(capabilities, "blue").capabilities == capabilities


def test_every_statistic_has_a_row_of_its_own() -> None:
    keys = [row.key for row in (*BACKEND, *POOL)]

    assert len(keys) == len(set(keys))
    fields = {*Capabilities.model_fields, *Pool.model_fields} - {"pools", "capabilities"}
    assert fields == {row.field for row in (*BACKEND, *POOL) if row.field}


# -- the driver's class --------------------------------------------------------------------------
class CopyingDriver(WholeDriver):
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
