"""The contracts of drivers, for share servers in namespaces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.btrfs_servers import BtrfsServersDriver
from share_actors.testing.contracts.base import ContractBase, without_use
from share_actors.testing.contracts.daemon import DaemonContract
from share_actors.testing.contracts.driver import DriverContract
from share_actors.testing.contracts.server import ServerContract
from share_actors.values import Share
from tests.drivers.btrfs_servers.conftest import CONTEXT, MakeDriver, root_of
from tests.drivers.btrfs_servers.on_server import OnServer


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


class SharesOnAServer(ContractBase):
    """The shares of the driver are on one server."""

    @pytest.fixture
    def driver(self, make_driver: MakeDriver) -> ShareDriver:
        driver = make_driver(kind=OnServer)
        driver.start_backend(CONTEXT)
        assert isinstance(driver, OnServer)
        driver.prepare("10.0.0.5", "10.0.0.0/24")
        return driver

    def state_of(self, driver: ShareDriver, share: Share) -> Any:
        """The probe, without the use, which depends on when the filesystem commits; and the files."""
        assert isinstance(driver, OnServer)
        files = place(driver, share).glob("*")
        probed = without_use(driver.probe_share(CONTEXT, share))
        return probed, {file.name: file.read_text() for file in files}

    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        assert isinstance(driver, OnServer)
        [server] = (root_of(driver) / "pool" / "servers").iterdir()
        with (server / "shares" / share.id / "big").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


class TestDaemonsOfAServer(SharesOnAServer, DaemonContract):
    """The part of the contract that differs most from that of the driver `btrfs`."""


@pytest.mark.soak
class TestSharesOnAServer(SharesOnAServer, DriverContract):
    """The whole contract."""


def place(driver: OnServer, share: Share) -> Path:
    """Where the share is mounted on the only server."""
    [server] = (root_of(driver) / "servers").iterdir()
    return server / "exports" / share.id
