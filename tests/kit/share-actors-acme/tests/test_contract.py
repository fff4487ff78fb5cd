"""The contract of drivers. A failure names the promise that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from share_actors.drivers import ShareDriver, make_driver
from share_actors.testing import DriverContract


class TestAcme(DriverContract):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        """The driver on an empty backend."""
        return make_driver("tested", "acme", {"root": str(tmp_path / "root")})
