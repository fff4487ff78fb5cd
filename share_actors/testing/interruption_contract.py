"""The part of `DriverContract` about calls that die, are given up, or come twice at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contract_base import (
    CONTEXT,
    ContractBase,
    copy_of,
    new_share,
    same_driver,
)
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import Share, Snapshot

AGAIN = CONTEXT.replace(attempt=2)
Prepared = tuple[Share, Callable[[ShareDriver], Any]]
"""A share, and a call about it that may be asked again."""


class InterruptionContract(ContractBase):
    """A call may die between any two of the driver's steps: asked again, it ends as if it never had.

    At most `most_steps` deaths a method, spread over all of its steps.
    """

    most_steps: ClassVar[int] = 25

    def test_creating_ends_well_whichever_step_it_died_at(self, driver: ShareDriver) -> None:
        def create() -> Prepared:
            share = new_share(driver)
            return share, lambda d: d.create_share(AGAIN, share)

        self.dies_at_every_step(driver, create)

    def test_creating_from_a_snapshot_ends_well_whichever_step_it_died_at(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def create() -> Prepared:
            share = copy_of(driver, snapshot)
            return share, lambda d: d.create_share_from_snapshot(AGAIN, share, snapshot)

        self.dies_at_every_step(driver, create)

    def test_deleting_ends_well_whichever_step_it_died_at(self, driver: ShareDriver) -> None:
        def delete() -> Prepared:
            share = self._made(driver)
            return share, lambda d: d.delete_share(AGAIN, share)

        self.dies_at_every_step(driver, delete)

    def test_extending_ends_well_whichever_step_it_died_at(self, driver: ShareDriver) -> None:
        if not driver.supports("extend_share"):
            pytest.skip("extends no shares")

        def extend() -> Prepared:
            share = self._made(driver)
            return share, lambda d: d.extend_share(AGAIN, share, 2)

        self.dies_at_every_step(driver, extend)

    def test_taking_a_snapshot_ends_well_whichever_step_it_died_at(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def take() -> Prepared:
            share = self._made(driver)
            taken = snapshot.replace(id=str(uuid4()), share_id=share.id)
            return share.replace(snapshots=(taken,)), lambda d: d.create_snapshot(AGAIN, taken)

        self.dies_at_every_step(driver, take)

    def test_deleting_a_snapshot_ends_well_whichever_step_it_died_at(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def drop() -> Prepared:
            share = self._made(driver)
            taken = snapshot.replace(id=str(uuid4()), share_id=share.id)
            driver.create_snapshot(CONTEXT, taken)
            return share.replace(snapshots=(taken,)), lambda d: d.delete_snapshot(AGAIN, taken)

        self.dies_at_every_step(driver, drop)

    def test_setting_rules_ends_well_whichever_step_it_died_at(self, driver: ShareDriver) -> None:
        rules = self.rules(driver)

        def allow() -> Prepared:
            share = self._made(driver)
            return share, lambda d: d.update_access(AGAIN, share, rules, rules, ()) or None

        self.dies_at_every_step(driver, allow)

    def test_a_call_that_was_given_up_and_the_next_may_run_at_once(
        self, driver: ShareDriver
    ) -> None:
        share, rules = new_share(driver), self.rules(driver)
        drivers = [driver, *(same_driver(driver) for _ in range(3))]

        def at_once(call: Callable[[ShareDriver], Any]) -> list[Any]:
            with ThreadPoolExecutor(len(drivers)) as threads:
                return list(threads.map(call, drivers))

        made = at_once(lambda d: tuple(d.create_share(CONTEXT, share)))
        failed = at_once(lambda d: d.update_access(CONTEXT, share, rules, rules, ()) or None)
        at_once(lambda d: d.delete_share(CONTEXT, share))

        assert made == made[:1] * len(drivers)
        assert failed == [None] * len(drivers)
        found = driver.probe_share(CONTEXT, share)
        assert found is None or found.state == "absent"

    # ------------------------------------------------------------------------------------------
    def dies_at_every_step(self, driver: ShareDriver, prepare: Callable[[], Prepared]) -> None:
        """Let the call die at one step after the other, each time in a new process; then ask again."""
        share, call = prepare()
        steps = count_steps(partial(call, driver), type(driver))
        assert steps > 0
        share, call = prepare()
        expected, seen = _shape(call(driver), share), _seen(driver, share)
        for n in range(1, steps + 1, max(1, steps // self.most_steps)):
            each, call = prepare()
            die_at(n, partial(call, same_driver(driver)), type(driver))

            assert _shape(call(same_driver(driver)), each) == expected, f"died at step {n}"
            assert _seen(driver, each) == seen, f"died at step {n}"

    def _made(self, driver: ShareDriver) -> Share:
        share = new_share(driver)
        driver.create_share(CONTEXT, share)
        return share


def _shape(answer: Any, share: Share) -> str:
    """What the call gave, wherever it names the share itself, or its snapshot."""
    said = repr(answer).replace(share.id, "SHARE")
    for snapshot in share.snapshots:
        said = said.replace(snapshot.id, "SNAPSHOT")
    return said


def _seen(driver: ShareDriver, share: Share) -> str:
    return _shape(driver.probe_share(AGAIN, share), share)
