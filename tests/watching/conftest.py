"""One system in this process for the tests of a module, and the command line on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from share_actors import testing
from share_actors.cli.session import Session
from share_actors.testing import SyncInProcessSystem
from tests.command_tree import invoke


@pytest.fixture(scope="module")
def system() -> Iterator[SyncInProcessSystem]:
    with testing.sync_system() as started:
        yield started


@pytest.fixture
def cli(system: SyncInProcessSystem, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command line on the system."""
    monkeypatch.setattr(Session, "system", system)
    return lambda line: invoke(line.split())
