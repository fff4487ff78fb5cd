"""The part of `DriverContract` about `probe_share`: it reports what exists and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.drivers.checks.returned import read_exports
from share_actors.testing.contracts.base import CONTEXT, ContractBase
from share_actors.testing.contracts.expectations import keeps, nothing, one_of, same
from share_actors.values import AccessRule, Share, Snapshot


def clients(rules: Sequence[AccessRule]) -> frozenset[tuple[str, str, str]]:
    """The rules as `ProbeResult.access` reports them."""
    return frozenset((r.access_type, r.access_to, r.access_level) for r in rules)


class ProbeContract(ContractBase):
    """A probe reports a share, its snapshots and its access rules exactly as they exist on the backend."""

    @keeps("probe-of-shares")
    def test_a_share_is_absent_before_its_creation_and_after_its_deletion(
        self, driver: ShareDriver, share: Share
    ) -> None:
        before = self.probe(driver, share)
        driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        same(before.state, "absent", "the state of a share before its creation by its probe")
        after = self.probe(driver, share)
        same(after.state, "absent", "the state of a share after its deletion by its probe")

    @keeps("probe-of-shares")
    def test_an_existing_share_is_whole_with_its_exports_and_size(
        self, driver: ShareDriver, share: Share
    ) -> None:
        exports = driver.create_share(CONTEXT, share)

        result = self.probe(driver, share)

        same(result.state, "whole", "the state of an existing share by its probe")
        found = read_exports("probe_share", result.export_locations)
        created = read_exports("create_share", exports)
        same(found, created, "the export locations of an existing share by its probe")
        one_of(result.size, (None, share.size), "the size of an existing share by its probe")

    @keeps("probe-changes-nothing")
    def test_probing_changes_nothing(self, driver: ShareDriver, share: Share) -> None:
        absent = self.state_of(driver, share)
        self.probe(driver, share)
        same(self.state_of(driver, share), absent, "the state of an absent share after a probe")
        driver.create_share(CONTEXT, share)

        first, second = self.probe(driver, share), self.probe(driver, share)
        same(second, first, "the second probe of a share that nobody changed")

    @keeps("probe-of-shares")
    def test_a_probe_reports_the_new_size(self, driver: ShareDriver, share: Share) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("the driver cannot extend shares")
        driver.create_share(CONTEXT, share)
        driver.extend_share(CONTEXT, share, share.size + 1)

        size = self.probe(driver, share).size
        one_of(size, (None, share.size + 1), "the size of an extended share by its probe")

    @keeps("probe-of-snapshots")
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

        taken = {snapshot.id: location}
        same(before.snapshots, taken, "the snapshots of a share that has one, by its probe")
        nothing(after.snapshots, "the snapshots by the probe after the deletion")
        nothing(after.unfinished, "the unfinished snapshots by the probe after the deletion")

    @keeps("probe-of-rules")
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

        same(access, clients(rules), "the access to a share with two rules a type, by its probe")
        left = self.probe(driver, share).access
        same(left, clients(rules[1:]), "the access after one rule was denied, by the probe")
