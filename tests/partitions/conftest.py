"""Logs in several partitions on the PostgreSQL server of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from tests.events.conftest import (
    OpenLog,
    log_path,
    open_partitioned,
    open_postgres,
    opener,
    partitioned_settings,
    postgres_server,
    postgres_settings,
)
from tests.retention.conftest import Site

__all__ = [
    "OpenLog",
    "log_path",
    "open_partitioned",
    "open_postgres",
    "opener",
    "partitioned_settings",
    "postgres_server",
    "postgres_settings",
]


@pytest.fixture
def new_site(tmp_path: Path, postgres_settings: LogSettings) -> Callable[[int], Site]:
    """Makes a home whose log has so many partitions."""

    def make(partitions: int) -> Site:
        home = tmp_path / f"home-{partitions}"
        home.mkdir(exist_ok=True)
        return Site(home, postgres_settings.model_copy(update={"partitions": partitions}))

    return make
