"""After random histories of rules, users of the machine can do what the rules say, and nothing else."""

from __future__ import annotations

import os

import pytest

from tests.faults.rules import run_history

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
@pytest.mark.usefixtures("keeps_acls")
@pytest.mark.parametrize("seed", range(8))
def test_users_can_do_exactly_what_the_rules_say_after_any_history(seed: int) -> None:
    assert run_history(seed).found == []
