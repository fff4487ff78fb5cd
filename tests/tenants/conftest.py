"""One system in this process for all tests of a module: each makes its own shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.client import ShareSystem
from share_actors.testing import sync_system
from tests.tenants.callers import Blue, two_backends
from tests.waiting import until

BACKENDS = 2
"""How many report when the system starts."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShareSystem]:
    home: Path = tmp_path_factory.mktemp("tenants")
    with sync_system(two_backends(home)) as running:
        until(lambda: len(running.backends.list().items) == BACKENDS)
        yield running


@pytest.fixture
def blue(system: ShareSystem) -> Blue:
    return Blue(system)
