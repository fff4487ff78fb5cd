"""The contract of drivers as tests: subclass `DriverContract` and define the fixture `driver`.

    class TestMyDriver(DriverContract):
        @pytest.fixture
        def driver(self, tmp_path: Path) -> ShareDriver:
            return make_driver("mine", "my_driver", {"root": tmp_path})

Needs pytest. Put `pytest.register_assert_rewrite("share_actors.testing")` into a conftest.py to see the
values in failures.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.checks.classes import class_faults, object_faults
from share_actors.testing.contracts.base import (
    CONTEXT,
    capabilities_of,
    copy_of,
    new_share,
    revert,
    same_driver,
)
from share_actors.testing.contracts.daemon import DaemonContract
from share_actors.testing.contracts.interruption import InterruptionContract
from share_actors.testing.contracts.late import LateCallContract
from share_actors.testing.contracts.listing import ListingContract
from share_actors.testing.contracts.one_system import OneSystemContract
from share_actors.testing.contracts.probe import ProbeContract
from share_actors.testing.contracts.remains import RemainsContract
from share_actors.testing.contracts.rules import RulesContract
from share_actors.testing.contracts.shrink import ShrinkContract
from share_actors.testing.contracts.snapshot_access import SnapshotAccessContract
from share_actors.testing.contracts.stray import StrayContract
from share_actors.values import Share, Snapshot, gib


class DriverContract(
    ListingContract,
    ProbeContract,
    RulesContract,
    ShrinkContract,
    SnapshotAccessContract,
    InterruptionContract,
    RemainsContract,
    LateCallContract,
    OneSystemContract,
    StrayContract,
    DaemonContract,
):
    """Every method can be repeated, in any order, after any interruption; see `drivers.base`.

    Subclasses define the fixture `driver`: a driver on an empty backend. They may override `principals`,
    two clients that the backend accepts for each access type, `most_steps`, `state_of`, `folders`, `remains`,
    `unmanaged_share`, and `fill`.
    """

    # -- the class -----------------------------------------------------------------------------
    def test_the_class_has_what_a_system_needs(self, driver: ShareDriver) -> None:
        faults = (*class_faults(type(driver)), *object_faults(driver))

        assert not faults, "; ".join(faults)

    # -- the backend ---------------------------------------------------------------------------
    def test_setting_up_the_backend_again_changes_nothing(
        self, driver: ShareDriver, share: Share
    ) -> None:
        exports = driver.create_share(CONTEXT, share)

        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()

        assert driver.create_share(CONTEXT, share) == exports

    def test_stats_are_of_this_backend_and_match_what_the_driver_supports(
        self, driver: ShareDriver
    ) -> None:
        stats = capabilities_of(driver)

        assert stats.backend_name == driver.backend_name
        assert set(stats.access_types) <= set(driver.rule_types())
        assert stats.snapshot_support == driver.supports("create_snapshot")
        assert stats.extend_support == driver.supports("extend_share")
        assert stats.shrink_support == driver.supports("shrink_share")
        reverts = stats.capabilities.get("revert_to_snapshot_support", False)
        assert reverts == isinstance(driver, Reverts)

    def test_the_capacities_of_pools_are_valid(self, driver: ShareDriver) -> None:
        pools = capabilities_of(driver).pools

        assert pools, "no share can be placed on a backend without pools"
        for pool in pools:
            assert 0 <= gib(pool.free_capacity_gib) <= gib(pool.total_capacity_gib)
            assert pool.allocated_capacity_gib >= 0

    # -- shares --------------------------------------------------------------------------------
    def test_a_created_share_has_export_paths(self, driver: ShareDriver, share: Share) -> None:
        exports = driver.create_share(CONTEXT, share)

        assert exports
        assert all(export.path for export in exports)

    def test_creating_a_share_again_returns_the_same_exports(
        self, driver: ShareDriver, share: Share
    ) -> None:
        first = driver.create_share(CONTEXT, share)

        assert driver.create_share(CONTEXT.replace(attempt=2), share) == first

    def test_creating_a_share_in_another_process_returns_the_same_exports(
        self, driver: ShareDriver, share: Share
    ) -> None:
        first = driver.create_share(CONTEXT, share)

        assert same_driver(driver).create_share(CONTEXT.replace(attempt=2), share) == first

    def test_two_shares_have_different_export_paths(self, driver: ShareDriver) -> None:
        one, two = (driver.create_share(CONTEXT, new_share(driver)) for _ in range(2))

        assert not {export.path for export in one} & {export.path for export in two}

    def test_threads_can_create_and_delete_shares_concurrently(self, driver: ShareDriver) -> None:
        shares = [new_share(driver) for _ in range(8)]

        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(lambda share: driver.create_share(CONTEXT, share), shares))
            list(threads.map(lambda share: driver.delete_share(CONTEXT, share), shares))

        assert len({exports[0].path for exports in created}) == 8

    def test_deleting_a_share_again_succeeds(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)

        driver.delete_share(CONTEXT, share)
        driver.delete_share(CONTEXT.replace(attempt=2), share)

    def test_deleting_a_share_that_never_existed_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.delete_share(CONTEXT, share)

    def test_a_deleted_share_can_be_created_again(self, driver: ShareDriver, share: Share) -> None:
        first = driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        assert driver.create_share(CONTEXT, share) == first

    def test_ensuring_a_share_keeps_its_exports(self, driver: ShareDriver, share: Share) -> None:
        exports = driver.create_share(CONTEXT, share)

        assert driver.ensure_share(CONTEXT, share) in (None, exports)
        assert driver.ensure_share(CONTEXT, share) in (None, exports)

    @pytest.mark.parametrize(("method", "size"), [("extend_share", 3), ("shrink_share", 1)])
    def test_resizing_a_share_again_succeeds(
        self, driver: ShareDriver, share: Share, method: str, size: int
    ) -> None:
        if not driver.supports(method):
            pytest.skip(f"the driver does not support {method}")
        driver.create_share(CONTEXT, share)

        getattr(driver, method)(CONTEXT, share, size)
        getattr(driver, method)(CONTEXT.replace(attempt=2), share.replace(size=size), size)

    # -- snapshots -----------------------------------------------------------------------------
    def test_taking_a_snapshot_again_returns_the_same_location(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        first = driver.create_snapshot(CONTEXT, snapshot)

        assert driver.create_snapshot(CONTEXT.replace(attempt=2), snapshot) == first

    def test_deleting_a_snapshot_again_succeeds(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)
        driver.delete_snapshot(CONTEXT.replace(attempt=2), snapshot)

    def test_deleting_a_snapshot_that_never_existed_succeeds(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.delete_snapshot(CONTEXT, snapshot)

    def test_creating_a_share_from_a_snapshot_again_returns_the_same_exports(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        first = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        assert driver.create_share_from_snapshot(CONTEXT, copy, snapshot) == first

    def test_a_share_remains_after_its_source_snapshot_is_deleted(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        exports = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)

        assert driver.ensure_share(CONTEXT, copy) in (None, exports)

    def test_a_reverted_share_has_its_size_rules_and_exports_as_before(
        self, driver: ShareDriver, share: Share, snapshot: Snapshot
    ) -> None:
        exports, rules = driver.create_share(CONTEXT, share), self.rules(driver)
        driver.create_snapshot(CONTEXT, snapshot)
        driver.update_access(CONTEXT, share, rules, rules, ())
        before = driver.probe_share(CONTEXT, share)

        again = CONTEXT.replace(attempt=2)
        assert revert(driver, CONTEXT, share, snapshot) == revert(driver, again, share, snapshot)

        assert driver.probe_share(CONTEXT, share) == before
        assert driver.ensure_share(CONTEXT, share) in (None, exports)

    # -- access --------------------------------------------------------------------------------
    def test_applying_the_same_rules_again_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)

        for _ in range(2):
            assert not driver.update_access(CONTEXT, share, rules, rules, ())

    def test_denying_a_rule_again_succeeds(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)
        driver.update_access(CONTEXT, share, rules, rules, ())

        for _ in range(2):
            assert not driver.update_access(CONTEXT, share, rules[1:], (), rules[:1])

    def test_denying_a_rule_that_was_never_allowed_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)

        assert not driver.update_access(CONTEXT, share, (), (), self.rules(driver))

    def test_a_denied_rule_can_be_allowed_again_in_the_same_call(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        old = self.rules(driver)
        driver.update_access(CONTEXT, share, old, old, ())
        new = [rule.replace(id=str(uuid4()), access_level="ro") for rule in old]

        assert not driver.update_access(CONTEXT, share, new, new, old)

    def test_an_unsupported_rule_does_not_block_the_others(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        good = self.rules(driver)
        bad = good[0].replace(id=str(uuid4()), access_type="telepathy")

        failed = driver.update_access(CONTEXT, share, [bad, *good], [bad, *good], ())

        assert set(failed or ()) == {bad.id}

    def test_allowing_and_denying_a_single_rule_again_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        if not driver.supports("allow_access"):
            pytest.skip("the driver does not support single rules")
        driver.create_share(CONTEXT, share)
        rule = self.rules(driver)[0]

        for call in (driver.allow_access, driver.allow_access):
            call(CONTEXT, share, rule)
        for call in (driver.deny_access, driver.deny_access):
            call(CONTEXT, share, rule)
