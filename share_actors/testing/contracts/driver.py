"""The contract of drivers as tests: subclass `DriverContract` and define the fixture `driver`.

    class TestMyDriver(DriverContract):
        @pytest.fixture
        def driver(self, tmp_path: Path) -> ShareDriver:
            return make_driver("mine", "my_driver", {"root": tmp_path})

Needs pytest. A failure names the promise that is broken, what was expected, and what was seen.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.checks.classes import class_faults, object_faults
from share_actors.drivers.checks.returned import read_exports
from share_actors.testing.contracts.base import (
    CONTEXT,
    capabilities_of,
    new_share,
    same_driver,
)
from share_actors.testing.contracts.daemon import DaemonContract
from share_actors.testing.contracts.expectations import holds, keeps, nothing, one_of, same
from share_actors.testing.contracts.interruption import InterruptionContract
from share_actors.testing.contracts.late import LateCallContract
from share_actors.testing.contracts.listing import ListingContract
from share_actors.testing.contracts.one_system import OneSystemContract
from share_actors.testing.contracts.probe import ProbeContract, clients
from share_actors.testing.contracts.remains import RemainsContract
from share_actors.testing.contracts.rules import RulesContract
from share_actors.testing.contracts.shrink import ShrinkContract
from share_actors.testing.contracts.snapshot_access import SnapshotAccessContract
from share_actors.testing.contracts.snapshots import SnapshotContract
from share_actors.testing.contracts.stray import StrayContract
from share_actors.values import Share, gib

FEATURES = {
    "snapshot_support": "create_snapshot",
    "extend_support": "extend_share",
    "shrink_support": "shrink_share",
}
"""Fields of the statistics, each with the method that decides it."""


class DriverContract(
    ListingContract,
    ProbeContract,
    RulesContract,
    ShrinkContract,
    SnapshotContract,
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
    @keeps("complete-class")
    def test_the_class_has_what_a_system_needs(self, driver: ShareDriver) -> None:
        faults = (*class_faults(type(driver)), *object_faults(driver))

        holds(not faults, "the class", "nothing that is missing or wrong", "; ".join(faults))

    # -- the backend ---------------------------------------------------------------------------
    @keeps("repeat-setup")
    def test_setting_up_the_backend_again_changes_nothing(
        self, driver: ShareDriver, share: Share
    ) -> None:
        exports = driver.create_share(CONTEXT, share)
        before = self.state_of(driver, share)

        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()

        same(self.state_of(driver, share), before, "the state of a share after do_setup")

        same(driver.create_share(CONTEXT, share), exports, "create_share, called after do_setup")

    @keeps("true-statistics")
    def test_stats_are_of_this_backend_and_match_what_the_driver_supports(
        self, driver: ShareDriver
    ) -> None:
        stats = capabilities_of(driver)

        same(stats.backend_name, driver.backend_name, "backend_name of get_share_stats")
        undeclared = set(stats.access_types) - set(driver.rule_types())
        nothing(undeclared, "access_types of get_share_stats that the class does not declare")
        for feature, method in FEATURES.items():
            has = driver.supports(method)
            same(getattr(stats, feature), has, f"{feature} of get_share_stats, by {method}")
        reverts = stats.capabilities.get("revert_to_snapshot_support", False)
        has = isinstance(driver, Reverts)
        same(reverts, has, "revert_to_snapshot_support of get_share_stats, by revert_to_snapshot")

    @keeps("true-statistics")
    def test_the_capacities_of_pools_are_valid(self, driver: ShareDriver) -> None:
        pools = capabilities_of(driver).pools

        holds(pools, "get_share_stats", "a pool, since shares are placed on pools", pools)
        for pool in pools:
            free, total = gib(pool.free_capacity_gib), gib(pool.total_capacity_gib)
            what = f"free_capacity_gib of the pool {pool.name!r}"
            holds(0 <= free <= total, what, f"0 to its total of {total:g}", free)
            allocated = pool.allocated_capacity_gib
            holds(
                allocated >= 0, f"allocated_capacity_gib of {pool.name!r}", "0 or more", allocated
            )

    # -- shares --------------------------------------------------------------------------------
    @keeps("export-paths")
    def test_a_created_share_has_export_paths(self, driver: ShareDriver, share: Share) -> None:
        returned = driver.create_share(CONTEXT, share)

        exports = read_exports("create_share", returned)
        paths = [export.path for export in exports]
        holds(exports and all(paths), "create_share", "an export location with a path", returned)

    @keeps("repeat-create")
    def test_creating_a_share_again_returns_the_same_exports(
        self, driver: ShareDriver, share: Share
    ) -> None:
        first = driver.create_share(CONTEXT, share)

        again = driver.create_share(CONTEXT.replace(attempt=2), share)
        same(again, first, "create_share, called again")

    @keeps("repeat-create")
    def test_creating_a_share_in_another_process_returns_the_same_exports(
        self, driver: ShareDriver, share: Share
    ) -> None:
        first = driver.create_share(CONTEXT, share)

        again = same_driver(driver).create_share(CONTEXT.replace(attempt=2), share)
        same(again, first, "create_share, called again by another process")

    @keeps("export-paths")
    def test_two_shares_have_different_export_paths(self, driver: ShareDriver) -> None:
        one, two = (paths_of(driver, new_share(driver)) for _ in range(2))

        nothing(one & two, "the export paths that two shares have in common")

    @keeps("concurrent-calls")
    def test_threads_can_create_and_delete_shares_concurrently(self, driver: ShareDriver) -> None:
        shares = [new_share(driver) for _ in range(8)]

        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(lambda share: paths_of(driver, share), shares))
            list(threads.map(lambda share: driver.delete_share(CONTEXT, share), shares))

        different = len(frozenset().union(*created))
        holds(different >= 8, "8 shares created at once", "8 different export paths", different)

    @keeps("repeat-delete")
    def test_deleting_a_share_again_succeeds(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)

        driver.delete_share(CONTEXT, share)
        driver.delete_share(CONTEXT.replace(attempt=2), share)

    @keeps("repeat-delete")
    def test_deleting_a_share_that_never_existed_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.delete_share(CONTEXT, share)

    @keeps("repeat-delete")
    def test_a_deleted_share_can_be_created_again(self, driver: ShareDriver, share: Share) -> None:
        first = driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        same(driver.create_share(CONTEXT, share), first, "create_share, called after delete_share")

    @keeps("repeat-ensure")
    def test_ensuring_a_share_keeps_its_exports(self, driver: ShareDriver, share: Share) -> None:
        exports = driver.create_share(CONTEXT, share)

        for _ in range(2):
            one_of(driver.ensure_share(CONTEXT, share), (None, exports), "ensure_share")

    @pytest.mark.parametrize(("method", "size"), [("extend_share", 3), ("shrink_share", 1)])
    @keeps("repeat-resize")
    def test_resizing_a_share_again_succeeds(
        self, driver: ShareDriver, share: Share, method: str, size: int
    ) -> None:
        if not driver.supports(method):
            pytest.skip(f"the driver does not support {method}")
        driver.create_share(CONTEXT, share)

        getattr(driver, method)(CONTEXT, share, size)
        getattr(driver, method)(CONTEXT.replace(attempt=2), share.replace(size=size), size)

    # -- access --------------------------------------------------------------------------------
    @keeps("repeat-rules")
    def test_applying_the_same_rules_again_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)

        for _ in range(2):
            failed = driver.update_access(CONTEXT, share, rules, rules, ())
            nothing(failed, "the rules that update_access refused, called twice with them")

    @keeps("repeat-rules")
    def test_denying_a_rule_again_succeeds(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)
        driver.update_access(CONTEXT, share, rules, rules, ())

        for _ in range(2):
            failed = driver.update_access(CONTEXT, share, rules[1:], (), rules[:1])
            nothing(failed, "the rules that update_access failed to deny, called twice")

    @keeps("repeat-rules")
    def test_denying_a_rule_that_was_never_allowed_succeeds(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)

        failed = driver.update_access(CONTEXT, share, (), (), self.rules(driver))
        nothing(failed, "the rules that update_access failed to deny, which were never allowed")

    @keeps("rules-as-asked")
    def test_a_denied_rule_can_be_allowed_again_in_the_same_call(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        old = self.rules(driver)
        driver.update_access(CONTEXT, share, old, old, ())
        new = [rule.replace(id=str(uuid4()), access_level="ro") for rule in old]

        failed = driver.update_access(CONTEXT, share, new, new, old)
        nothing(failed, "the rules that update_access refused, for clients denied in the same call")
        probed = driver.probe_share(CONTEXT, share)
        if probed is not None and probed.access is not None:
            same(probed.access, clients(new), "the rules in force after that call")

    @keeps("rules-one-by-one")
    def test_an_unsupported_rule_does_not_block_the_others(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        good = self.rules(driver)
        bad = good[0].replace(id=str(uuid4()), access_type="telepathy")

        failed = driver.update_access(CONTEXT, share, [bad, *good], [bad, *good], ())

        same(set(failed or ()), {bad.id}, "the rules that update_access refused")

    @keeps("repeat-rules")
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


def paths_of(driver: ShareDriver, share: Share) -> frozenset[str]:
    """Create *share*; the paths of its export locations."""
    exports = read_exports("create_share", driver.create_share(CONTEXT, share))
    return frozenset(export.path for export in exports)
