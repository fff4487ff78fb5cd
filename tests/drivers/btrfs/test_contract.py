"""The driver contract, for the driver `btrfs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.drivers.fence import within_attempt
from share_actors.testing.contract_base import CONTEXT, new_share
from share_actors.testing.driver_contract import DriverContract
from share_actors.testing.interruption_contract import AGAIN, Prepared
from share_actors.testing.late_contract import LATE, LATER, Calls
from share_actors.values import AccessRule, RequestContext, Share, Snapshot
from tests.drivers.btrfs.conftest import MakeDriver, place


class TestBtrfsDriver(DriverContract):
    @pytest.fixture
    def driver(self, make_driver: MakeDriver) -> ShareDriver:
        driver = make_driver()
        driver.start_backend(CONTEXT)
        return driver

    def unmanaged_share(self, driver: ShareDriver) -> Mapping[str, Any]:
        share = new_share(driver)
        driver.create_share(CONTEXT, share)
        driver.unmanage(share)
        return {"path": f"shares/{share.id}"}

    def state_of(self, driver: ShareDriver, share: Share) -> Any:
        """The probe, without the use, which depends on when the filesystem commits; and the files."""
        assert isinstance(driver, BtrfsDriver)
        probed = driver.probe_share(CONTEXT, share)
        files = place(driver, share).glob("*")
        return probed.replace(used=None), {file.name: file.read_text() for file in files}

    def test_a_late_revert_is_refused(self, driver: ShareDriver) -> None:
        def prepare(driver: ShareDriver, _: list[AccessRule]) -> Calls:
            share, [first, second] = share_with_snapshots(driver)
            return (
                share,
                lambda d: revert(d, share, first, LATE),
                lambda d: revert(d, share, second, LATER),
            )

        self.late_calls_change_nothing(driver, prepare)

    def test_shrinking_can_be_repeated_after_a_crash_at_any_step(self, driver: ShareDriver) -> None:
        def shrink() -> Prepared:
            share = new_share(driver).replace(size=3)
            driver.create_share(CONTEXT, share)
            return share, lambda d: d.shrink_share(AGAIN, share, 2)

        self.crashes_at_every_step(driver, shrink)

    def test_managing_can_be_repeated_after_a_crash_at_any_step(self, driver: ShareDriver) -> None:
        def manage() -> Prepared:
            share, options = new_share(driver), self.unmanaged_share(driver)
            return share, lambda d: d.manage_existing(share, options)

        with within_attempt(AGAIN):
            self.crashes_at_every_step(driver, manage)

    def test_unmanaging_can_be_repeated_after_a_crash_at_any_step(
        self, driver: ShareDriver
    ) -> None:
        def unmanage() -> Prepared:
            share = self._created_share(driver)
            return share, lambda d: d.unmanage(share)

        with within_attempt(AGAIN):
            self.crashes_at_every_step(driver, unmanage)


def share_with_snapshots(driver: ShareDriver) -> tuple[Share, list[Snapshot]]:
    """A share whose file has the name of a snapshot in each of two, and `new` now."""
    assert isinstance(driver, BtrfsDriver)
    share = new_share(driver)
    driver.create_share(CONTEXT, share)
    snapshots = [Snapshot(id=name, share_id=share.id) for name in ("first", "second")]
    for snapshot in snapshots:
        (place(driver, share) / "file").write_text(snapshot.id)
        driver.create_snapshot(CONTEXT, snapshot)
    (place(driver, share) / "file").write_text("new")
    return share, snapshots


def revert(driver: ShareDriver, share: Share, snapshot: Snapshot, context: RequestContext) -> None:
    assert isinstance(driver, BtrfsDriver)
    driver.revert_to_snapshot(context, share, snapshot)
