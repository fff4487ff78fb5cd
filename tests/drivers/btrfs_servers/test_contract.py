"""The contracts of drivers, for share servers in namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.testing.server_contract import ServerContract
from tests.drivers.btrfs_servers.conftest import CONTEXT, MakeDriver, root_of


class TestBtrfsServersDriver(ServerContract):
    @pytest.fixture
    def driver(self, make_driver: MakeDriver) -> ShareDriver:
        driver = make_driver()
        driver.start_backend(CONTEXT)
        return driver

    def folders(self, driver: ShareDriver) -> list[Path]:
        """Those of no daemon, and no mount that only the daemon sees."""
        assert isinstance(driver, BtrfsServersDriver)
        root = root_of(driver)
        pools = (root / "pool" / "servers").glob("*/**")
        own = [root, *(root / name for name in ("servers", "networks", "locks", "pool/servers"))]
        return [*own, *(root / "servers").glob("*"), *pools]
