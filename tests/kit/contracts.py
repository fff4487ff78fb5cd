"""Small contracts, so that a grade in a test takes little time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from share_actors.drivers import ShareDriver
from share_actors.drivers.dummy import DummyDriver
from share_actors.drivers.dummy.faults import DummyOptions
from share_actors.testing.contracts.probe import ProbeContract
from tests.drivers.contract_mutants import SeesNoRules


class Probes(ProbeContract):
    """The part of the contract about probes, on the driver `dummy`."""

    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return DummyDriver(configuration=DummyOptions(directory=tmp_path / "state"))


class ProbesOfAMutant(ProbeContract):
    """The same on a driver that reports no access rules."""

    @pytest.fixture
    def driver(self, tmp_path: Path) -> ShareDriver:
        return SeesNoRules(configuration=DummyOptions(directory=tmp_path / "state"))


class EndsTheRun(ProbeContract):
    """Ends the process of the run."""

    @pytest.fixture
    def driver(self) -> ShareDriver:
        print("the vendor's library ends the process", flush=True)
        os._exit(7)
