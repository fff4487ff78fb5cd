"""`ClientContract` sees the faults of mutants of the driver `local`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.storage.contract_runs import Outcomes
from tests.storage.mutant_runs import assert_seen, mutant_runs

MODULE = Path(__file__).with_name("local_mutants.py")
FAULTS = (
    "RulesOnFileOnly",
    "EmptiedListUnheard",
    "EmptyClones",
    "EmptySnapshots",
    "EveryoneLetIn",
    "Beneath",
)
"""Those of `mutants.SEEN` that directories can have: there are no networks, and no limits."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The outcomes on each mutant and on the true driver, of the tests that must see the mutants."""
    if os.geteuid():
        pytest.skip("only root can run processes of other users")
    return mutant_runs(MODULE, FAULTS, tmp_path_factory.mktemp("mutants") / "report.xml")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_client_contract_sees_a_fault_that_the_driver_does_not_have(
    runs: Outcomes, fault: str
) -> None:
    assert_seen(fault, runs)
