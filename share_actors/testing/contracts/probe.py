"""The part of `DriverContract` about `probe_share`: it reports what exists and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.values import AccessRule, Share, Snapshot


def clients(rules: Sequence[AccessRule]) -> frozenset[tuple[str, str, str]]:
    """The rules as `ProbeResult.access` reports them."""
    return frozenset((r.access_type, r.access_to, r.access_level) for r in rules)


class ProbeContract(ContractBase):
    """A probe reports a share, its snapshots and its access rules exactly as they exist on the backend."""

    def test_a_share_is_absent_before_its_creation_and_after_its_deletion(
        self, driver: ShareDriver, share: Share
    ) -> None:
        before = self.probe(driver, share)
        driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        assert before.state == self.probe(driver, share).state == "absent"

    def test_an_existing_share_is_whole_with_its_exports_and_size(
        self, driver: ShareDriver, share: Share
    ) -> None:
        exports = driver.create_share(CONTEXT, share)

        result = self.probe(driver, share)

        assert result.state == "whole"
        assert tuple(result.export_locations) == tuple(exports)
        assert result.size in (None, share.size)

    def test_probing_changes_nothing(self, driver: ShareDriver, share: Share) -> None:
        self.probe(driver, share)
        driver.create_share(CONTEXT, share)

        assert self.probe(driver, share) == self.probe(driver, share)

    def test_a_probe_reports_the_new_size(self, driver: ShareDriver, share: Share) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("the driver cannot extend shares")
        driver.create_share(CONTEXT, share)
        driver.extend_share(CONTEXT, share, share.size + 1)

        assert self.probe(driver, share).size in (None, share.size + 1)

    def test_a_probe_reports_the_existing_snapshots(
        self, driver: ShareDriver, share: Share, snapshot: Snapshot
    ) -> None:
        share = share.replace(snapshots=(snapshot,))
        if self.probe(driver, share).snapshots is None:
            pytest.skip("the driver does not report snapshots")
        location = driver.create_snapshot(CONTEXT, snapshot)
        before = self.probe(driver, share)
        driver.delete_snapshot(CONTEXT, snapshot)
        after = self.probe(driver, share)

        assert before.snapshots == {snapshot.id: location}
        assert (after.snapshots, after.unfinished) == ({}, frozenset())

    def test_a_probe_reports_the_applied_access_rules(
        self, driver: ShareDriver, share: Share
    ) -> None:
        rules = self.rules(driver)
        driver.create_share(CONTEXT, share)
        if self.probe(driver, share).access is None:
            pytest.skip("the driver does not report access rules")
        driver.update_access(CONTEXT, share, rules, rules, ())
        access = self.probe(driver, share).access
        driver.update_access(CONTEXT, share, rules[1:], (), rules[:1])

        assert access == clients(rules)
        assert self.probe(driver, share).access == clients(rules[1:])
