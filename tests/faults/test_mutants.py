"""Every mutant is killed by its check, which passes with the code as it is."""

from __future__ import annotations

import pytest

from tests.faults.mutants import MUTANTS, Mutant, failures

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
by_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)


@by_mutant
def test_every_mutant_is_killed(mutant: Mutant) -> None:
    assert failures(mutant)


@by_mutant
def test_no_check_fails_without_its_mutant(mutant: Mutant) -> None:
    assert not failures(mutant, applied=False)
