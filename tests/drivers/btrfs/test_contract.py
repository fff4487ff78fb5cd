"""The driver contract, for the driver `btrfs`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs import BtrfsDriver, BtrfsOptions
from share_actors.testing.contracts.base import CONTEXT, new_share
from share_actors.testing.contracts.driver import DriverContract
from share_actors.values import Share
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
        assert isinstance(driver.configuration, BtrfsOptions)
        with (driver.configuration.root / "pool" / "shares" / share.id / "big").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
