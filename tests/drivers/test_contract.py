"""The driver contract, for every driver of this package."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from share_actors.drivers import ShareDriver, make_driver
from share_actors.drivers.dummy.faults import DummyOptions
from share_actors.drivers.filesystem.acl import grants_of
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.testing.contracts.driver import DriverContract
from share_actors.testing.contracts.server import ServerContract
from share_actors.testing.contracts.stray import StrayContract
from share_actors.values import RequestContext, Share

CONTEXT = RequestContext()


def access_of(driver: ShareDriver, share: Share) -> Any:
    """The access to the directory of *share* of the driver `local`; None if it does not exist."""
    assert isinstance(driver.configuration, LocalOptions)
    try:
        fd = os.open(driver.configuration.root / "shares" / share.id, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return grants_of(fd)
    finally:
        os.close(fd)


def state_folders(driver: ShareDriver) -> list[Path]:
    """The directories of the state of a dummy backend."""
    assert isinstance(driver.configuration, DummyOptions)
    directory = driver.configuration.directory
    assert directory is not None
    return [directory, *(path for path in directory.iterdir() if path.is_dir())]


@pytest.mark.usefixtures("keeps_acls")
class TestLocalDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("here", "local", {"root": str(tmp_path / "root")})

    def state_of(self, driver: ShareDriver, share: Share) -> Any:
        return driver.probe_share(CONTEXT, share), access_of(driver, share)

    def fill(self, driver: ShareDriver, share: Share, size: int) -> None:
        [export] = driver.create_share(CONTEXT, share)
        with Path(export.path, "big").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)


class DriverOnABusyDisk(LocalDriver):
    """The driver `local` as one that returns a dict, on a disk to which others write without pause."""

    free = itertools.count(1000, -1)

    def get_share_stats(self, refresh: bool = False) -> dict[str, Any]:  # type: ignore[override]
        return {"total_capacity_gib": 1000, "free_capacity_gib": next(self.free)}


@pytest.mark.usefixtures("keeps_acls")
class TestDriverOnABusyDisk(StrayContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        options = LocalOptions(root=tmp_path / "root")
        return DriverOnABusyDisk(configuration=options, backend_name="here")


class TestDummyDriverWithADaemon(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        options = {"directory": str(tmp_path / "state"), "daemon": True}
        return make_driver("pretended", "dummy", options)

    def folders(self, driver: ShareDriver) -> list[Path]:
        return state_folders(driver)


class TestDummyDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("pretended", "dummy", {"directory": str(tmp_path / "state")})

    def folders(self, driver: ShareDriver) -> list[Path]:
        return state_folders(driver)


class TestDummyDriverWithoutState(DriverContract):
    @pytest.fixture
    def driver(self) -> ShareDriver:
        return make_driver("pretended", "dummy", {})


@pytest.mark.usefixtures("keeps_acls")
class TestLocalServersDriver(ServerContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        root = {"root": str(tmp_path / "root")}
        return make_driver("here", "local-servers", root, handles_servers=True)


class TestDummyDriverWithServers(ServerContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        options = {"directory": str(tmp_path / "state")}
        return make_driver("pretended", "dummy", options, handles_servers=True)

    def folders(self, driver: ShareDriver) -> list[Path]:
        return state_folders(driver)
