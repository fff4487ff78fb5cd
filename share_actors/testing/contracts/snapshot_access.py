"""The part of `DriverContract` about snapshots that are mounted by themselves, under rules of their own.

Only for drivers with the ability `MountableSnapshots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import MountableSnapshots
from share_actors.drivers.base import Exports, ShareDriver
from share_actors.drivers.rule_updates import RuleUpdates
from share_actors.testing.contracts.base import CONTEXT, capabilities_of, same_driver, snapshot_of
from share_actors.testing.contracts.expectations import holds, keeps, nothing, same
from share_actors.testing.contracts.interruption import AGAIN, InterruptionContract, Prepared
from share_actors.testing.contracts.late import LATE, LATER, Calls, LateCallContract
from share_actors.testing.contracts.probe import clients
from share_actors.values import AccessRule, RequestContext, Share, Snapshot

REFUSED = "the rules of a snapshot that snapshot_update_access refused"
UNDENIED = "the rules of a snapshot that snapshot_update_access failed to deny"


class SnapshotAccessContract(InterruptionContract, LateCallContract):
    """A snapshot is exported to exactly the clients of its rules, who only read, and to nobody without."""

    @pytest.fixture
    def exported(self, driver: ShareDriver, share: Share, snapshot: Snapshot) -> Snapshot:
        """A snapshot that exists, of a driver that can export it; it has no rules."""
        mountable(driver)
        driver.create_snapshot(CONTEXT, snapshot)
        return snapshot

    def readers(self, driver: ShareDriver) -> list[AccessRule]:
        """The rules that let clients read, two of each type that the driver supports."""
        return [rule.replace(access_level="ro") for rule in self.rules(driver)]

    # -- exports -------------------------------------------------------------------------------
    @keeps("snapshot-rules")
    def test_stats_tell_that_snapshots_can_be_mounted(self, driver: ShareDriver) -> None:
        declared = capabilities_of(driver).capabilities.get("mount_snapshot_support", False)

        has = isinstance(driver, MountableSnapshots)
        same(declared, has, "mount_snapshot_support of get_share_stats")

    @keeps("snapshot-rules")
    def test_a_snapshot_has_export_paths_while_it_has_rules(
        self, driver: ShareDriver, share: Share, exported: Snapshot
    ) -> None:
        rules = self.readers(driver)
        own = driver.create_share(CONTEXT, share)
        nothing(update(driver, exported, rules, added=rules), REFUSED)
        during = exports_of(driver, exported)
        nothing(update(driver, exported, (), removed=rules), UNDENIED)

        holds(during, "snapshot_export_locations of a snapshot with rules", "a path", during)
        shared = {path.path for path in during} & {path.path for path in own}
        nothing(shared, "the paths that a snapshot shares with its share")
        self._is_exported_nowhere(driver, exported)

    @keeps("snapshot-rules")
    def test_applying_and_removing_rules_of_a_snapshot_again_succeeds(
        self, driver: ShareDriver, exported: Snapshot
    ) -> None:
        rules = self.readers(driver)

        for _ in range(2):
            nothing(update(driver, exported, rules, added=rules), REFUSED)
        for _ in range(2):
            nothing(update(driver, exported, rules[1:], removed=rules[:1]), UNDENIED)
        for _ in range(2):
            nothing(update(driver, exported, (), removed=rules), UNDENIED)

    @keeps("snapshot-rules")
    def test_removing_the_rules_of_a_snapshot_that_never_existed_succeeds(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        mountable(driver)

        nothing(update(driver, snapshot, (), removed=self.readers(driver)), UNDENIED)

    @keeps("snapshot-rules")
    def test_a_rule_that_lets_write_is_refused_and_does_not_block_the_others(
        self, driver: ShareDriver, exported: Snapshot
    ) -> None:
        good = self.readers(driver)
        writer = good[0].replace(id=str(uuid4()), access_level="rw")
        rules = [*good[1:], writer]

        failed = update(driver, exported, rules, added=rules) or {}

        same(set(failed), {writer.id}, "the rules of a snapshot that were refused")
        reason = failed[writer.id]
        holds("'rw'" in reason, "the reason of the refusal", "the level, 'rw'", reason)

    @keeps("snapshot-rules")
    def test_the_rules_of_a_snapshot_are_not_those_of_its_share(
        self, driver: ShareDriver, share: Share, exported: Snapshot
    ) -> None:
        rules, readers = self.rules(driver), self.readers(driver)
        driver.update_access(CONTEXT, share, rules[:1], rules[:1], ())
        update(driver, exported, readers[1:], added=readers[1:])

        probed = self.probe(driver, share.replace(snapshots=(exported,)))

        if probed.snapshot_access is None:
            pytest.skip("the driver does not report the access to snapshots")
        same(probed.access, clients(rules[:1]), "the access to the share by its probe")
        wanted = {exported.id: clients(readers[1:])}
        same(probed.snapshot_access, wanted, "the access to its snapshots by the probe")

    # -- ends ----------------------------------------------------------------------------------
    @keeps("snapshot-rules")
    def test_a_deleted_snapshot_that_had_rules_is_exported_no_more(
        self, driver: ShareDriver, exported: Snapshot
    ) -> None:
        self._let_in(driver, exported)

        driver.delete_snapshot(CONTEXT, exported)

        self._is_exported_nowhere(driver, exported)

    @keeps("snapshot-rules")
    def test_the_snapshots_of_a_deleted_share_are_exported_no_more(
        self, driver: ShareDriver, share: Share, exported: Snapshot
    ) -> None:
        self._let_in(driver, exported)

        driver.delete_share(CONTEXT, share)

        probed = driver.probe_share(CONTEXT, share.replace(snapshots=(exported,)))
        left = probed and probed.snapshot_access
        nothing(left, "the access to snapshots of a deleted share by its probe")

    @keeps("snapshot-rules")
    def test_an_unmanaged_snapshot_is_exported_no_more(
        self, driver: ShareDriver, exported: Snapshot
    ) -> None:
        self._let_in(driver, exported)

        driver.unmanage_snapshot(exported)

        self._is_exported_nowhere(driver, exported)

    @keeps("snapshot-rules")
    def test_a_snapshot_that_is_managed_again_is_exported_to_nobody(
        self, driver: ShareDriver, exported: Snapshot
    ) -> None:
        if not driver.supports("manage_existing_snapshot"):
            pytest.skip("the driver cannot manage snapshots")
        location = driver.create_snapshot(CONTEXT, exported)
        self._let_in(driver, exported)

        driver.manage_existing_snapshot(exported.replace(provider_location=location), {})

        self._is_exported_nowhere(driver, exported)

    # -- crashes and late calls ----------------------------------------------------------------
    @pytest.mark.parametrize("doing", ["allow", "deny", "delete"])
    @keeps("death-at-any-step")
    def test_changing_rules_of_a_snapshot_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver, doing: str
    ) -> None:
        mountable(driver)
        rules = self.readers(driver)

        def prepare() -> Prepared:
            share, snapshot = self._taken(driver, () if doing == "allow" else rules)
            if doing == "delete":
                return share, lambda d: d.delete_snapshot(AGAIN, snapshot)
            wanted = rules if doing == "allow" else ()
            return share, lambda d: update(d, snapshot, wanted, context=AGAIN) or None

        self.crashes_at_every_step(driver, prepare)

    @pytest.mark.parametrize("doing", ["allow", "deny"])
    @keeps("late-calls-refused")
    def test_a_late_call_for_the_rules_of_a_snapshot_is_refused(
        self, driver: ShareDriver, doing: str
    ) -> None:
        mountable(driver)

        def prepare(driver: ShareDriver, _: list[AccessRule]) -> Calls:
            rules = self.readers(driver)
            share, snapshot = self._taken(driver, () if doing == "allow" else rules[:1])
            late, later = (rules, rules[:1]) if doing == "allow" else ((), rules)
            return (
                share,
                lambda d: update(d, snapshot, late, context=LATE),
                lambda d: update(d, snapshot, later, context=LATER),
            )

        self.late_calls_change_nothing(driver, prepare)

    # ------------------------------------------------------------------------------------------
    def _taken(self, driver: ShareDriver, rules: Sequence[AccessRule]) -> tuple[Share, Snapshot]:
        """A new share with a new snapshot that has *rules*."""
        share = self._created_share(driver)
        snapshot = snapshot_of(share)
        driver.create_snapshot(CONTEXT, snapshot)
        update(driver, snapshot, rules, added=rules)
        return share.replace(snapshots=(snapshot,)), snapshot

    def _let_in(self, driver: ShareDriver, snapshot: Snapshot) -> None:
        rules = self.readers(driver)
        nothing(update(driver, snapshot, rules, added=rules), REFUSED)

    def _is_exported_nowhere(self, driver: ShareDriver, snapshot: Snapshot) -> None:
        share = Share(id=snapshot.share_id, snapshots=(snapshot,))
        probed = same_driver(driver).probe_share(CONTEXT, share)
        if probed is None:
            pytest.skip("the driver cannot probe shares")
        nothing(probed.snapshot_access, "the access to the snapshot by the probe")
        nothing(exports_of(driver, snapshot), "the export locations of the snapshot")


def mountable(driver: ShareDriver) -> MountableSnapshots:
    """*driver*; skips the test if it cannot export snapshots."""
    if not isinstance(driver, MountableSnapshots):
        pytest.skip("the driver cannot mount snapshots by themselves")
    return driver


def exports_of(driver: ShareDriver, snapshot: Snapshot) -> Exports:
    """Where *snapshot* is exported."""
    return mountable(driver).snapshot_export_locations(CONTEXT, snapshot)


def update(
    driver: ShareDriver,
    snapshot: Snapshot,
    rules: Sequence[AccessRule],
    *,
    added: Sequence[AccessRule] = (),
    removed: Sequence[AccessRule] = (),
    context: RequestContext = CONTEXT,
) -> RuleUpdates | None:
    """Bring about exactly *rules* for *snapshot*; the rules that failed."""
    apply = mountable(driver).snapshot_update_access
    return apply(context, snapshot, rules, added, removed)
