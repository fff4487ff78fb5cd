"""The contract of drivers, for each that this package brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from share_actors.drivers import ShareDriver, make_driver
from share_actors.testing.driver_contract import DriverContract


@pytest.mark.usefixtures("keeps_acls")
class TestLocalDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("here", "local", {"root": str(tmp_path / "root")})


class TestDummyDriver(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return make_driver("pretended", "dummy", {"directory": str(tmp_path / "state")})


class TestDummyDriverThatKeepsNothing(DriverContract):
    @pytest.fixture
    def driver(self) -> ShareDriver:
        return make_driver("pretended", "dummy", {})
