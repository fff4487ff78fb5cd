"""The driver contract, for the driver `btrfs`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver
from share_actors.testing.contract_base import CONTEXT, new_share
from share_actors.testing.driver_contract import DriverContract
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

    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        assert isinstance(driver, BtrfsDriver)
        with (place(driver, share) / "big").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def test_a_late_revert_is_refused(self, driver: ShareDriver) -> None:
        def prepare(driver: ShareDriver, _: list[AccessRule]) -> Calls:
            share, [first, second] = share_with_snapshots(driver)
            return (
                share,
                lambda d: revert(d, share, first, LATE),
                lambda d: revert(d, share, second, LATER),
            )

        self.late_calls_change_nothing(driver, prepare)


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
