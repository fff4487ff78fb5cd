"""The part of `DriverContract` about what a crash leaves: a probe names it, and a deletion removes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from share_actors.drivers.abilities import ListsObjects
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.fence import SUFFIX
from share_actors.testing.contracts.base import CONTEXT, copy_of, new_share, same_driver
from share_actors.testing.contracts.expectations import holds, keeps, nothing, same
from share_actors.testing.contracts.stray import StrayFolders
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import Share, Snapshot

AGAIN = CONTEXT.replace(attempt=2)


class RemainsContract(StrayFolders):
    """After a crash nothing is on the backend that a probe does not report.

    Each method crashes at no more than about `most_steps` steps.
    """

    most_steps: ClassVar[int] = 25

    def remains(self, driver: ShareDriver, name: str) -> list[str]:
        """What the backend has of a share or snapshot, by its id *name*, without the numbers of fences.

        By default the paths in `folders` that have the id in their names, and what the driver lists.
        Override it if the driver keeps its things elsewhere.
        """
        found = [
            os.path.join(folder, entry)
            for folder in self.folders(driver)
            for entry in os.listdir(folder)
            if name in entry and not entry.endswith(SUFFIX)
        ]
        if isinstance(driver, ListsObjects):
            found += [item.location for item in driver.list_backend(CONTEXT) if item.id == name]
        return found

    @pytest.mark.parametrize("method", ["create_share", "delete_share"])
    @keeps("nothing-left-behind")
    def test_a_crash_leaves_nothing_of_a_share_that_a_probe_calls_absent(
        self, driver: ShareDriver, method: str
    ) -> None:
        def prepare() -> tuple[Share, Callable[[ShareDriver], Any]]:
            share = new_share(driver)
            if method == "delete_share":
                driver.create_share(CONTEXT, share)
            return share, lambda d: getattr(d, method)(CONTEXT, share)

        self._crash_and_delete(driver, prepare, always=method == "delete_share")

    @keeps("nothing-left-behind")
    def test_a_crash_leaves_nothing_of_a_copy_that_a_probe_calls_absent(
        self, driver: ShareDriver, snapshot: Snapshot
    ) -> None:
        def prepare() -> tuple[Share, Callable[[ShareDriver], Any]]:
            share = copy_of(driver, snapshot)
            return share, lambda d: d.create_share_from_snapshot(CONTEXT, share, snapshot)

        self._crash_and_delete(driver, prepare)

    @pytest.mark.parametrize("method", ["create_snapshot", "delete_snapshot"])
    @keeps("nothing-left-behind")
    def test_a_crash_leaves_nothing_of_a_snapshot_that_a_probe_does_not_name(
        self, driver: ShareDriver, share: Share, snapshot: Snapshot, method: str
    ) -> None:
        def prepare() -> tuple[Share, Callable[[ShareDriver], Any]]:
            taken = snapshot.replace(id=str(uuid4()))
            if method == "delete_snapshot":
                driver.create_snapshot(CONTEXT, taken)
            changed = share.replace(snapshots=(taken,))
            return changed, lambda d: getattr(d, method)(CONTEXT, taken)

        for step, changed in self._crashes(driver, prepare):
            (taken,) = changed.snapshots
            if method == "delete_snapshot" or self._is_named(driver, changed):
                driver.delete_snapshot(AGAIN, taken)
            named = self._is_named(driver, changed)
            what = f"the probe after a death at step {step} of {method}, and a deletion"
            holds(not named, what, "no such snapshot", "the snapshot")
            nothing(self.remains(driver, taken.id), f"what is left of a death at step {step}")

    # ------------------------------------------------------------------------------------------
    def _is_named(self, driver: ShareDriver, share: Share) -> bool:
        """Whether a probe reports the only snapshot of *share*, complete or not."""
        result = self.probe(driver, share)
        return share.snapshots[0].id in {*(result.snapshots or {}), *result.unfinished}

    def _crash_and_delete(
        self,
        driver: ShareDriver,
        prepare: Callable[[], tuple[Share, Callable[[Any], Any]]],
        *,
        always: bool = False,
    ) -> None:
        """Delete what a probe finds after each crash; *always*: also what it does not find.

        Deletions are repeated whatever a probe reports.
        """
        for step, share in self._crashes(driver, prepare):
            result = self.probe(driver, share)
            if always or result.state != "absent":
                driver.delete_share(AGAIN, share)
                state = self.probe(driver, share).state
                same(state, "absent", f"the state after a death at step {step}, and a deletion")
            what = f"what is left of a death at step {step}, of a share that was {result.state}"
            nothing(self.remains(driver, share.id), what)

    def _crashes(
        self, driver: ShareDriver, prepare: Callable[[], tuple[Share, Callable[[Any], Any]]]
    ) -> Any:
        """Crash a new call at one step after the other; yields each step and its share."""
        overridden = type(self).remains is not RemainsContract.remains
        if not (overridden or self.folders(driver) or isinstance(driver, ListsObjects)):
            pytest.skip("the driver keeps no files, and does not list what it has")
        _, call = prepare()
        steps = count_steps(partial(call, driver), type(driver))
        for step in range(1, steps + 1, max(1, steps // self.most_steps)):
            share, call = prepare()
            die_at(step, partial(call, same_driver(driver)), type(driver))
            yield step, share
