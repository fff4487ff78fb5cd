"""What tests of the shell share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.events.log import Log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = Log.open(LogSettings(), tmp_path / "log.db")
    yield opened
    opened.close()
