"""The part of `DriverContract` about `probe_share`: it tells what is there, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contract_base import CONTEXT, ContractBase
from share_actors.values import AccessRule, Share, Snapshot


def clients(rules: Sequence[AccessRule]) -> frozenset[tuple[str, str, str]]:
    return frozenset((r.access_type, r.access_to, r.access_level) for r in rules)


class ProbeContract(ContractBase):
    """What a driver says that exists, exists; what it says is absent left nothing behind."""

    def test_a_share_is_absent_before_it_is_made_and_after_it_is_deleted(
        self, driver: ShareDriver, share: Share
    ) -> None:
        before = self.found(driver, share)
        driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        assert before.state == self.found(driver, share).state == "absent"

    def test_a_share_that_exists_is_whole_with_the_exports_and_the_size_it_was_given(
        self, driver: ShareDriver, share: Share
    ) -> None:
        made = driver.create_share(CONTEXT, share)

        found = self.found(driver, share)

        assert found.state == "whole"
        assert tuple(found.export_locations) == tuple(made)
        assert found.size in (None, share.size)

    def test_probing_changes_nothing(self, driver: ShareDriver, share: Share) -> None:
        self.found(driver, share)
        driver.create_share(CONTEXT, share)

        assert self.found(driver, share) == self.found(driver, share)

    def test_a_probe_tells_the_new_size(self, driver: ShareDriver, share: Share) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("extends no shares")
        driver.create_share(CONTEXT, share)
        driver.extend_share(CONTEXT, share, share.size + 1)

        assert self.found(driver, share).size in (None, share.size + 1)

    def test_a_probe_tells_which_snapshots_there_are(
        self, driver: ShareDriver, share: Share, snapshot: Snapshot
    ) -> None:
        held = share.replace(snapshots=(snapshot,))
        if self.found(driver, held).snapshots is None:
            pytest.skip("does not tell of snapshots")
        where = driver.create_snapshot(CONTEXT, snapshot)
        taken = self.found(driver, held)
        driver.delete_snapshot(CONTEXT, snapshot)
        gone = self.found(driver, held)

        assert taken.snapshots == {snapshot.id: where}
        assert (gone.snapshots, gone.unfinished) == ({}, frozenset())

    def test_a_probe_tells_who_is_let_in(self, driver: ShareDriver, share: Share) -> None:
        rules = self.rules(driver)
        driver.create_share(CONTEXT, share)
        if self.found(driver, share).access is None:
            pytest.skip("does not tell of access rules")
        driver.update_access(CONTEXT, share, rules, rules, ())
        all_in = self.found(driver, share).access
        driver.update_access(CONTEXT, share, rules[1:], (), rules[:1])

        assert all_in == clients(rules)
        assert self.found(driver, share).access == clients(rules[1:])
