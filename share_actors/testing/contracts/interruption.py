"""The part of `DriverContract` about calls that crash, are abandoned, or run twice concurrently."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import Reverts
from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import (
    CONTEXT,
    ContractBase,
    copy_of,
    new_share,
    same_driver,
    without_use,
)
from share_actors.testing.contracts.expectations import holds, keeps, one_of, same
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import Share, Snapshot

AGAIN = CONTEXT.replace(attempt=2)
Prepared = tuple[Share, Callable[[Any], Any]]
"""A share, and a repeatable call for it."""


class InterruptionContract(ContractBase):
    """A call may crash at any step of the driver: its repetition ends as if the crash had not happened.

    Each method crashes at no more than about `most_steps` steps, spread over all of them.
    """

    most_steps: ClassVar[int] = 25
    """How many steps of a method are tested."""

    @keeps("death-at-any-step")
    def test_creating_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        def create() -> Prepared:
            share = new_share(driver)
            return share, lambda d: d.create_share(AGAIN, share)

        self.crashes_at_every_step(driver, create)

    @keeps("death-at-any-step")
    def test_creating_from_a_snapshot_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def create() -> Prepared:
            share = copy_of(driver, snapshot)
            return share, lambda d: d.create_share_from_snapshot(AGAIN, share, snapshot)

        self.crashes_at_every_step(driver, create)

    @keeps("death-at-any-step")
    def test_deleting_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        def delete() -> Prepared:
            share = self._created_share(driver)
            return share, lambda d: d.delete_share(AGAIN, share)

        self.crashes_at_every_step(driver, delete)

    @keeps("death-at-any-step")
    def test_extending_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("the driver cannot extend shares")

        def extend() -> Prepared:
            share = self._created_share(driver)
            return share, lambda d: d.extend_share(AGAIN, share, 2)

        self.crashes_at_every_step(driver, extend)

    @keeps("death-at-any-step")
    def test_shrinking_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        if not driver.supports("shrink_share"):
            pytest.skip("the driver cannot shrink shares")

        def shrink() -> Prepared:
            share = new_share(driver).replace(size=3)
            driver.create_share(CONTEXT, share)
            return share, lambda d: d.shrink_share(AGAIN, share, 1)

        self.crashes_at_every_step(driver, shrink)

    @keeps("death-at-any-step")
    def test_ensuring_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        if not driver.supports("ensure_share"):
            pytest.skip("the driver does not ensure shares")

        def ensure() -> Prepared:
            share = self._created_share(driver)
            return share, lambda d: d.ensure_share(AGAIN, share)

        self.crashes_at_every_step(driver, ensure)

    @keeps("death-at-any-step")
    def test_managing_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        if not driver.supports("manage_existing"):
            pytest.skip("the driver cannot manage shares")

        def manage() -> Prepared:
            share, options = new_share(driver), self.unmanaged_share(driver)
            return share, lambda d: d.manage_existing(share, options)

        self.crashes_at_every_step(driver, manage)

    @keeps("death-at-any-step")
    def test_unmanaging_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        if not driver.supports("unmanage"):
            pytest.skip("the driver has nothing to do for an unmanaged share")
        rules = self.rules(driver)

        def unmanage() -> Prepared:
            share = self._created_share(driver)
            driver.update_access(CONTEXT, share, rules, rules, ())
            return share, lambda d: d.unmanage(share)

        self.crashes_at_every_step(driver, unmanage)

    @keeps("death-at-any-step")
    def test_reverting_a_share_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        if not isinstance(driver, Reverts):
            pytest.skip("the driver cannot revert shares")
        rules = self.rules(driver)

        def revert() -> Prepared:
            share = self._created_share(driver)
            driver.update_access(CONTEXT, share, rules, rules, ())
            taken = snapshot.replace(id=str(uuid4()), share_id=share.id)
            driver.create_snapshot(CONTEXT, taken)
            share = share.replace(snapshots=(taken,))
            return share, lambda d: d.revert_to_snapshot(AGAIN, share, taken)

        self.crashes_at_every_step(driver, revert)

    @keeps("death-at-any-step")
    def test_taking_a_snapshot_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def take() -> Prepared:
            share = self._created_share(driver)
            taken = snapshot.replace(id=str(uuid4()), share_id=share.id)
            return share.replace(snapshots=(taken,)), lambda d: d.create_snapshot(AGAIN, taken)

        self.crashes_at_every_step(driver, take)

    @keeps("death-at-any-step")
    def test_deleting_a_snapshot_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def drop() -> Prepared:
            share = self._created_share(driver)
            taken = snapshot.replace(id=str(uuid4()), share_id=share.id)
            driver.create_snapshot(CONTEXT, taken)
            return share.replace(snapshots=(taken,)), lambda d: d.delete_snapshot(AGAIN, taken)

        self.crashes_at_every_step(driver, drop)

    @keeps("death-at-any-step")
    def test_setting_rules_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        rules = self.rules(driver)

        def allow() -> Prepared:
            share = self._created_share(driver)
            return share, lambda d: d.update_access(AGAIN, share, rules, rules, ()) or None

        self.crashes_at_every_step(driver, allow)

    @keeps("concurrent-calls")
    def test_an_abandoned_call_and_its_repetition_can_run_concurrently(
        self, driver: ShareDriver
    ) -> None:
        share, rules = new_share(driver), self.rules(driver)
        drivers = [driver, *(same_driver(driver) for _ in range(3))]

        def concurrently(call: Callable[[ShareDriver], Any]) -> list[Any]:
            with ThreadPoolExecutor(len(drivers)) as threads:
                return list(threads.map(call, drivers))

        exports = concurrently(lambda d: tuple(d.create_share(CONTEXT, share)))
        failed = concurrently(lambda d: d.update_access(CONTEXT, share, rules, rules, ()) or None)
        concurrently(lambda d: d.delete_share(CONTEXT, share))

        same(exports, exports[:1] * len(drivers), "create_share, called by 4 processes at once")
        same(failed, [None] * len(drivers), "update_access, called by 4 processes at once")
        result = driver.probe_share(CONTEXT, share)
        state = result and result.state
        one_of(state, (None, "absent"), "the state of a share that 4 processes deleted at once")

    # ------------------------------------------------------------------------------------------
    def crashes_at_every_step(self, driver: ShareDriver, prepare: Callable[[], Prepared]) -> None:
        """Crash the call at one step after the other, each time in a new process, and repeat it."""
        share, call = prepare()
        steps = count_steps(partial(call, driver), type(driver))
        holds(steps > 0, "the lines of the driver that the call executes", "one or more", steps)
        share, call = prepare()
        expected = _normalized(call(driver), share)
        expected_probe = _normalized_probe(driver, share)
        for n in range(1, steps + 1, max(1, steps // self.most_steps)):
            share, call = prepare()
            die_at(n, partial(call, same_driver(driver)), type(driver))

            result = _normalized(call(same_driver(driver)), share)
            where = f"a death at step {n} of {steps}"
            same(result, expected, f"the result of the repetition after {where}")
            probed = _normalized_probe(driver, share)
            same(probed, expected_probe, f"the probe after {where} and the repetition")

    def _created_share(self, driver: ShareDriver) -> Share:
        share = new_share(driver)
        driver.create_share(CONTEXT, share)
        return share


def _normalized(result: Any, share: Share) -> str:
    """A call's result as text, with placeholders for the ids of the share and its snapshots."""
    text = repr(result).replace(share.id, "SHARE")
    for snapshot in share.snapshots:
        text = text.replace(snapshot.id, "SNAPSHOT")
    return text


def _normalized_probe(driver: ShareDriver, share: Share) -> str:
    return _normalized(without_use(driver.probe_share(AGAIN, share)), share)
