"""`ClientContract` sees the faults of mutants of the driver `btrfs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.contract_runs import Outcomes
from tests.storage.mutant_runs import assert_seen, mutant_runs
from tests.storage.mutants import SEEN

MODULE = Path(__file__).with_name("btrfs_mutants.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The outcomes on each mutant and on the true driver, of the tests that must see the mutants."""
    return mutant_runs(MODULE, SEEN, tmp_path_factory.mktemp("mutants") / "report.xml")


@pytest.mark.parametrize("fault", SEEN)
def test_the_client_contract_sees_a_fault_that_the_driver_does_not_have(
    runs: Outcomes, fault: str
) -> None:
    assert_seen(fault, runs)
