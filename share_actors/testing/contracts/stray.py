"""The part of the driver contract about entries of others beside those of the driver."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing.contracts.base import (
    CONTEXT,
    ContractBase,
    capabilities_of,
    copy_of,
    new_share,
    same_driver,
)
from share_actors.testing.contracts.expectations import holds, keeps, nothing, one_of, same
from share_actors.testing.strays import changed, put_strays
from share_actors.values import Pool, Share, Snapshot


class StrayFolders(ContractBase):
    """Where strays are put."""

    def folders(self, driver: ShareDriver) -> list[Path]:
        """The directories in which *driver* keeps its files, without those of shares; none if it has none.

        By default its exclusive directories and all below. Called while there are no shares.
        """
        tops = driver.exclusive_directories().values()
        return [Path(folder) for top in tops for folder, _, _ in os.walk(top)]

    @pytest.fixture
    def strays(self, driver: ShareDriver) -> dict[bytes, object]:
        """Strays in every directory of the backend, which has no shares yet."""
        folders = self.folders(driver)
        if not folders:
            pytest.skip("the driver keeps no files")
        return put_strays(folders)


class StrayContract(StrayFolders):
    """Editor backups, leftovers and other entries beside the driver's files change nothing, and stay."""

    @keeps("strays-spared")
    def test_strays_beside_our_files_change_no_statistics(self, driver: ShareDriver) -> None:
        share = new_share(driver).replace(size=3)
        driver.create_share(CONTEXT, share)
        before = _lasting(driver)
        driver.delete_share(CONTEXT, share)
        strays = put_strays(self.folders(driver))
        driver = same_driver(driver)
        driver.check_for_setup_error()
        driver.create_share(CONTEXT, share)

        same(
            _lasting(driver),
            before,
            "the statistics with files of others beside those of the driver",
        )
        nothing(changed(strays), "the files of others that were changed")

    @keeps("strays-spared")
    def test_strays_beside_our_files_stay_during_the_life_of_a_share(
        self, driver: ShareDriver, strays: dict[bytes, object], share: Share
    ) -> None:
        driver.do_setup(CONTEXT)
        driver.create_share(CONTEXT, share)
        rules = self.rules(driver)
        nothing(driver.update_access(CONTEXT, share, rules, rules, ()), "the rules refused")
        if driver.supports("extend_share"):
            driver.extend_share(CONTEXT, share, 3)
        exports = driver.create_share(CONTEXT, share)
        one_of(driver.ensure_share(CONTEXT, share), (None, exports), "ensure_share")
        probed = driver.probe_share(CONTEXT, share)
        one_of(probed and probed.state, (None, "whole"), "the state of the share by its probe")
        driver.delete_share(CONTEXT, share)

        probed = driver.probe_share(CONTEXT, share)
        one_of(probed and probed.state, (None, "absent"), "the state after the deletion")
        nothing(changed(strays), "the files of others that were changed")

    @keeps("strays-spared")
    def test_strays_beside_our_files_stay_during_the_life_of_a_snapshot(
        self, driver: ShareDriver, strays: dict[bytes, object], share: Share
    ) -> None:
        if not driver.supports("create_snapshot"):
            pytest.skip("the driver does not support snapshots")
        driver.create_share(CONTEXT, share)
        snapshot = Snapshot(id=str(uuid4()), share_id=share.id, size=share.size)
        copy = copy_of(driver, snapshot)
        exports = driver.create_share_from_snapshot(CONTEXT, copy, snapshot)
        holds(exports, "create_share_from_snapshot", "export locations", exports)
        driver.delete_snapshot(CONTEXT, snapshot)
        driver.delete_share(CONTEXT, copy)

        nothing(changed(strays), "the files of others that were changed")


def _lasting(driver: ShareDriver) -> list[Pool]:
    """The statistics of the pools without the free space, which other programs change."""
    return [pool.replace(free_capacity_gib=0) for pool in capabilities_of(driver).pools]
