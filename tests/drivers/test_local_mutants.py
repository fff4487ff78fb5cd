"""`ClientContract` sees the faults of mutants of the driver `local`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.storage.contract_runs import SKIPPED, Outcomes, outcomes
from tests.storage.mutants import SEEN

MODULE = Path(__file__).with_name("local_mutants.py")
FAULTS = (
    "RulesOnFileOnly",
    "EmptiedListUnheard",
    "EmptyClones",
    "EmptySnapshots",
    "EveryoneLetIn",
    "Beneath",
)
"""Those of `SEEN` that directories can have: there are no networks, and no limits."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The outcomes on each mutant and on the true driver, of the tests that must see the mutants."""
    if os.geteuid():
        pytest.skip("only root can run processes of other users")
    tests = [
        (f"Test{group}", SEEN[fault].test) for fault in FAULTS for group in (fault, "TrueDriver")
    ]
    return outcomes(MODULE, tests, tmp_path_factory.mktemp("mutants") / "report.xml")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_client_contract_sees_a_fault_that_the_driver_does_not_have(
    runs: Outcomes, fault: str
) -> None:
    seen = SEEN[fault]
    true, mutant = runs["TestTrueDriver", seen.test], runs[f"Test{fault}", seen.test]
    if true and true.startswith(SKIPPED):
        pytest.skip(true)

    assert true is None
    assert mutant is not None, f"{fault} passes {seen.test}"
    assert re.search(seen.reason, mutant, re.DOTALL), mutant
