"""The part of `DriverContract` about repeated calls for snapshots, copies and reverts."""

from __future__ import annotations

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase, copy_of, revert
from share_actors.testing.contracts.expectations import keeps, one_of, same
from share_actors.values import Share, Snapshot


class SnapshotContract(ContractBase):
    """Snapshots can be taken, deleted, copied and reverted to again."""

    @keeps("repeat-snapshot")
    def test_taking_a_snapshot_again_returns_the_same_location(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        first = driver.create_snapshot(CONTEXT, snapshot)

        again = driver.create_snapshot(CONTEXT.replace(attempt=2), snapshot)
        same(again, first, "create_snapshot, called again")

    @keeps("repeat-snapshot")
    def test_deleting_a_snapshot_again_succeeds(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)
        driver.delete_snapshot(CONTEXT.replace(attempt=2), snapshot)

    @keeps("repeat-snapshot")
    def test_deleting_a_snapshot_that_never_existed_succeeds(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.delete_snapshot(CONTEXT, snapshot)

    @keeps("repeat-copy")
    def test_creating_a_share_from_a_snapshot_again_returns_the_same_exports(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        first = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        again = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)
        same(again, first, "create_share_from_snapshot, called again")

    @keeps("repeat-copy")
    def test_a_share_remains_after_its_source_snapshot_is_deleted(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        exports = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)

        what = "ensure_share of a copy whose snapshot was deleted"
        one_of(driver.ensure_share(CONTEXT, copy), (None, exports), what)
        probed = driver.probe_share(CONTEXT, copy)
        one_of(probed and probed.state, (None, "whole"), "the state of that copy by its probe")

    @keeps("repeat-revert")
    def test_a_reverted_share_has_its_size_rules_and_exports_as_before(
        self, driver: ShareDriver, share: Share, snapshot: Snapshot
    ) -> None:
        exports, rules = driver.create_share(CONTEXT, share), self.rules(driver)
        driver.create_snapshot(CONTEXT, snapshot)
        driver.update_access(CONTEXT, share, rules, rules, ())
        before = driver.probe_share(CONTEXT, share)

        again = CONTEXT.replace(attempt=2)
        first = revert(driver, CONTEXT, share, snapshot)
        same(revert(driver, again, share, snapshot), first, "revert_to_snapshot, called again")

        same(driver.probe_share(CONTEXT, share), before, "the probe of a share that was reverted")
        what = "ensure_share of a share that was reverted"
        one_of(driver.ensure_share(CONTEXT, share), (None, exports), what)
