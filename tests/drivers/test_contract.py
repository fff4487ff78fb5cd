"""The driver contract, for every driver of this package."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers import ShareDriver, make_driver
from share_actors.testing.driver_contract import DriverContract
from share_actors.testing.server_contract import ServerContract


@pytest.mark.usefixtures("keeps_acls")
class TestLocalDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("here", "local", {"root": str(tmp_path / "root")})


class TestDummyDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("pretended", "dummy", {"directory": str(tmp_path / "state")})


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
