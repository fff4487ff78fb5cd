"""A log for tests of one entity."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from share_actors.events.log import Log
from share_actors.testing import InMemoryLog


@pytest.fixture
def log() -> Iterator[Log]:
    with closing(InMemoryLog()) as log:
        yield log
