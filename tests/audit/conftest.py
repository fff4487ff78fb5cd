"""Logs with a short story, in SQLite and PostgreSQL, for the tests that read them without a system."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.audit.reading.reader import LogReader, open_reader
from share_actors.config import LogSettings
from share_actors.events.decider import Event
from share_actors.events.log import Log
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.resize import ShareResized, ShareResizeRequested
from tests.events.conftest import postgres_server, postgres_settings
from tests.events.share_events import NOON, began, created, envelope, requested

__all__ = ["NOON", "postgres_server", "postgres_settings"]
Told = tuple[int, Event] | tuple[int, Event, str]


def opened(access_id: str) -> AccessAllowed:
    return AccessAllowed(
        access_id=access_id, access_type="ip", access_to="10.0.0.0/8", access_level="rw"
    )


HOME: list[Told] = [
    (0, requested("s1", name="home"), "c-create"),
    (0, began("create"), "c-create"),
    (5, created()),
    (10, opened("r1"), "c-allow"),
    (12, AccessRulesApplied(applied=("r1",))),
    (20, ShareResizeRequested(doing="extend", size=3), "c-extend"),
    (25, ShareResized(doing="extend", size=3)),
    (30, AccessDenied(access_id="r1"), "c-deny"),
    (40, AccessRulesApplied(removed=("r1",))),
]
"""A share: asked for at 0 s and there at 5 s, opened 10..12 s, 3 GiB 20..25 s, closed 30..40 s."""
SCRATCH: list[Told] = [
    (1, requested("s2", name="scratch", project="web"), "c-other"),
    (6, created()),
    (7, opened("r2"), "c-open"),
    (8, AccessRulesApplied(applied=("r2",))),
    (50, ShareDeletionRequested(cascade=False), "c-delete"),
    (60, ShareDeleted()),
]


def write(
    log: Log, stream: str, told: list[Told], *, user: str = "alice", project: str = "demo"
) -> None:
    """Append events to *stream*, each with its second and, for a request, its command id."""
    before = log.version(stream)
    entries = [
        (
            envelope(
                item[2] if len(item) > 2 else None, user=user, project=project, second=item[0]
            ),
            item[1],
        )
        for item in told
    ]
    asyncio.run(log.append(stream, before, entries))


def write_story(log: Log) -> None:
    write(log, "share-s1", HOME)
    write(log, "share-s2", SCRATCH, user="bob", project="web")


@pytest.fixture(autouse=True)
def _no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("story") / "log.db"
    with closing(Log.open(LogSettings(), path)) as log:
        write_story(log)
    return path


@pytest.fixture
def log_path(tmp_path: Path, story: Path) -> Path:
    """The closed SQLite log with the story of `HOME` and `SCRATCH`: 15 events."""
    return Path(shutil.copy(story, tmp_path / "log.db"))


@pytest.fixture
def reader(log_path: Path) -> Iterator[LogReader]:
    with open_reader(log_path) as opened_reader:
        yield opened_reader


@pytest.fixture
def postgres_url(postgres_settings: LogSettings) -> str:
    """The URL of a PostgreSQL log with the same story."""
    with closing(Log.open(postgres_settings, Path())) as log:
        write_story(log)
    s = postgres_settings
    return f"postgresql://{s.user}@/{s.database}?host={s.host}&schema={s.schema_name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str:
    """The path or URL of a log with the story, of either kind."""
    name = "log_path" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))
