"""What every driver owes its caller, as tests: subclass `DriverContract` and give it a `driver`.

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

from share_actors.drivers import share_stats
from share_actors.drivers.base import ShareDriver
from share_actors.testing.contract_base import CONTEXT, copy_of, new_share, same_driver
from share_actors.testing.interruption_contract import InterruptionContract
from share_actors.testing.probe_contract import ProbeContract
from share_actors.values import Capabilities, Share, Snapshot


class DriverContract(ProbeContract, InterruptionContract):
    """Each method may be asked again, in any order, after any interruption; see `drivers.base`.

    Subclasses give the fixture `driver`: a driver on an empty backend. They may change `principals`,
    two that the backend knows for each type of access, and `most_steps`.
    """

    # -- the backend ---------------------------------------------------------------------------
    def test_setting_up_again_changes_nothing(self, driver: ShareDriver, share: Share) -> None:
        made = driver.create_share(CONTEXT, share)

        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()

        assert driver.create_share(CONTEXT, share) == made

    def test_stats_are_of_this_backend_and_match_what_the_driver_supports(
        self, driver: ShareDriver
    ) -> None:
        stats = _capabilities(driver)

        assert stats.backend_name == driver.backend_name
        assert set(stats.access_types) <= set(driver.access_types)
        assert stats.snapshot_support == driver.supports("create_snapshot")
        assert stats.extend_support == driver.supports("extend_share")
        assert stats.shrink_support == driver.supports("shrink_share")

    def test_capacities_are_sizes(self, driver: ShareDriver) -> None:
        pools = _capabilities(driver).pools

        assert pools, "without a pool no share can be placed on the backend"
        for pool in pools:
            assert 0 <= pool.free_capacity_gib <= pool.total_capacity_gib
            assert pool.allocated_capacity_gib >= 0

    # -- shares --------------------------------------------------------------------------------
    def test_a_share_has_a_path(self, driver: ShareDriver, share: Share) -> None:
        exports = driver.create_share(CONTEXT, share)

        assert exports
        assert all(export.path for export in exports)

    def test_creating_again_gives_the_same_answer(self, driver: ShareDriver, share: Share) -> None:
        first = driver.create_share(CONTEXT, share)

        assert driver.create_share(CONTEXT.replace(attempt=2), share) == first

    def test_another_process_gives_the_same_answer(self, driver: ShareDriver, share: Share) -> None:
        first = driver.create_share(CONTEXT, share)

        assert same_driver(driver).create_share(CONTEXT.replace(attempt=2), share) == first

    def test_two_shares_have_two_paths(self, driver: ShareDriver) -> None:
        one, two = (driver.create_share(CONTEXT, new_share(driver)) for _ in range(2))

        assert not {export.path for export in one} & {export.path for export in two}

    def test_shares_are_created_and_deleted_at_once_in_threads(self, driver: ShareDriver) -> None:
        shares = [new_share(driver) for _ in range(8)]

        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(lambda share: driver.create_share(CONTEXT, share), shares))
            list(threads.map(lambda share: driver.delete_share(CONTEXT, share), shares))

        assert len({exports[0].path for exports in made}) == 8

    def test_deleting_again_is_no_error(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)

        driver.delete_share(CONTEXT, share)
        driver.delete_share(CONTEXT.replace(attempt=2), share)

    def test_deleting_what_never_existed_is_no_error(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.delete_share(CONTEXT, share)

    def test_a_deleted_share_can_be_created_again(self, driver: ShareDriver, share: Share) -> None:
        first = driver.create_share(CONTEXT, share)
        driver.delete_share(CONTEXT, share)

        assert driver.create_share(CONTEXT, share) == first

    def test_ensuring_a_share_keeps_its_exports(self, driver: ShareDriver, share: Share) -> None:
        made = driver.create_share(CONTEXT, share)

        assert driver.ensure_share(CONTEXT, share) in (None, made)
        assert driver.ensure_share(CONTEXT, share) in (None, made)

    @pytest.mark.parametrize(("method", "size"), [("extend_share", 3), ("shrink_share", 1)])
    def test_resizing_again_is_no_error(
        self, driver: ShareDriver, share: Share, method: str, size: int
    ) -> None:
        if not driver.supports(method):
            pytest.skip(f"cannot {method}")
        driver.create_share(CONTEXT, share)

        getattr(driver, method)(CONTEXT, share, size)
        getattr(driver, method)(CONTEXT.replace(attempt=2), share.replace(size=size), size)

    # -- snapshots -----------------------------------------------------------------------------
    def test_taking_a_snapshot_again_gives_the_same_answer(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        first = driver.create_snapshot(CONTEXT, snapshot)

        assert driver.create_snapshot(CONTEXT.replace(attempt=2), snapshot) == first

    def test_deleting_a_snapshot_again_is_no_error(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.create_snapshot(CONTEXT, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)
        driver.delete_snapshot(CONTEXT.replace(attempt=2), snapshot)

    def test_deleting_a_snapshot_that_never_existed_is_no_error(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        driver.delete_snapshot(CONTEXT, snapshot)

    def test_a_share_from_a_snapshot_again_gives_the_same_answer(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        first = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        assert driver.create_share_from_snapshot(CONTEXT, copy, snapshot) == first

    def test_a_share_outlives_the_snapshot_it_came_from(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        copy = copy_of(driver, snapshot)
        made = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)

        driver.delete_snapshot(CONTEXT, snapshot)

        assert driver.ensure_share(CONTEXT, copy) in (None, made)

    # -- access --------------------------------------------------------------------------------
    def test_the_same_rules_again_are_no_error(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)

        for _ in range(2):
            assert not driver.update_access(CONTEXT, share, rules, rules, ())

    def test_denying_again_is_no_error(self, driver: ShareDriver, share: Share) -> None:
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)
        driver.update_access(CONTEXT, share, rules, rules, ())

        for _ in range(2):
            assert not driver.update_access(CONTEXT, share, rules[1:], (), rules[:1])

    def test_denying_what_was_never_allowed_is_no_error(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)

        assert not driver.update_access(CONTEXT, share, (), (), self.rules(driver))

    def test_a_rule_denied_can_be_allowed_again_in_the_same_call(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        old = self.rules(driver)
        driver.update_access(CONTEXT, share, old, old, ())
        new = [rule.replace(id=str(uuid4()), access_level="ro") for rule in old]

        assert not driver.update_access(CONTEXT, share, new, new, old)

    def test_a_rule_that_is_not_supported_does_not_stop_the_others(
        self, driver: ShareDriver, share: Share
    ) -> None:
        driver.create_share(CONTEXT, share)
        good = self.rules(driver)
        bad = good[0].replace(id=str(uuid4()), access_type="telepathy")

        failed = driver.update_access(CONTEXT, share, [bad, *good], [bad, *good], ())

        assert set(failed or ()) == {bad.id}

    def test_allowing_and_denying_one_rule_again_is_no_error(
        self, driver: ShareDriver, share: Share
    ) -> None:
        if not driver.supports("allow_access"):
            pytest.skip("has no rules one by one")
        driver.create_share(CONTEXT, share)
        rule = self.rules(driver)[0]

        for call in (driver.allow_access, driver.allow_access):
            call(CONTEXT, share, rule)
        for call in (driver.deny_access, driver.deny_access):
            call(CONTEXT, share, rule)


def _capabilities(driver: ShareDriver) -> Capabilities:
    """The driver's statistics, without which the scheduler places no share on its backend."""
    stats = driver.get_share_stats(refresh=True)
    parsed = share_stats.read(stats, driver.backend_name, share_stats.class_capabilities(driver))
    assert parsed.capabilities is not None, f"get_share_stats: {parsed.wrong['']}"
    assert not parsed.wrong
    return parsed.capabilities
