"""Runs of what must see each mutant, on the mutant and on the true driver."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.storage.contract_runs import SKIPPED, Outcomes, outcomes
from tests.storage.mutants import SEEN


def mutant_runs(module: Path, faults: Iterable[str], report: Path) -> Outcomes:
    """The outcomes in *module*, which has a class `TestFAULT` for each fault, and `TestTrueDriver`."""
    both = [(group, SEEN[fault].test) for fault in faults for group in (fault, "TrueDriver")]
    return outcomes(module, [(f"Test{group}", test) for group, test in both], report)


def assert_seen(fault: str, runs: Outcomes) -> None:
    """The test that must see *fault* fails on the mutant for its reason, and passes on the true driver."""
    seen = SEEN[fault]
    true, mutant = runs["TestTrueDriver", seen.test], runs[f"Test{fault}", seen.test]
    if true and true.startswith(SKIPPED):
        pytest.skip(true.removeprefix(SKIPPED))
    assert true is None
    assert mutant is not None, f"{fault} passes {seen.test}"
    assert re.search(seen.reason, mutant, re.DOTALL), mutant
