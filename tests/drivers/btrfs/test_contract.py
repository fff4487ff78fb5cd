"""The driver contract, for the driver `btrfs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.testing.contract_base import CONTEXT, new_share
from share_actors.testing.driver_contract import DriverContract
from tests.drivers.btrfs.conftest import MakeDriver


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
