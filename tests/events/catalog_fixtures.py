"""Fixtures of the catalog tests: a log, catalogs of it, and appended share events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import LogSettings
from share_actors.events import share
from share_actors.events.catalog import Catalog
from share_actors.events.decider import Event, replay
from share_actors.events.log import Log
from share_actors.events.log.codec import Codec
from share_actors.events.share.access import AccessAllowed, AccessDenied
from share_actors.events.share.messages import ShareDeletionRequested
from share_actors.events.share.snapshot.messages import SnapshotRequested
from share_actors.events.topics import EVENTS
from share_actors.values import Share
from tests.events.conftest import OpenLog
from tests.events.share_events import NOON, began, created, envelope, requested

deleting = ShareDeletionRequested(cascade=False)
poison = AccessDenied(access_id="nobody")
"""An event that no share state accepts: no rule has this id."""


def allowed(access_id: str = "a", access_to: str = "alice") -> AccessAllowed:
    return AccessAllowed(
        access_id=access_id, access_type="user", access_to=access_to, access_level="rw"
    )


def snapped(snapshot_id: str = "n", name: str | None = None) -> SnapshotRequested:
    return SnapshotRequested(snapshot_id=snapshot_id, name=name, at=NOON)


class LoggedShares:
    """A log that share events are appended to, and its catalogs; `close` closes the catalogs."""

    def __init__(self, open_log: OpenLog, settings: LogSettings, path: Path) -> None:
        self._open_log, self._settings, self._path = open_log, settings, path
        self._catalogs: list[Catalog] = []
        self._versions: dict[str, int] = {}
        self.log = open_log()

    def open_catalog(self, log: Log | None = None) -> Catalog:
        catalog = Catalog.open(log or self.log, self._settings, self._path)
        self._catalogs.append(catalog)
        return catalog

    def older_log(self, *unknown: str) -> Log:
        """The same log, opened by an older program without the event topics *unknown*."""
        log = self._open_log()
        older = {topic: kind for topic, kind in EVENTS.items() if topic not in unknown}
        log._codec = Codec(events=older)
        return log

    def append(self, share_id: str, *events: Event) -> None:
        """Append *events* to the stream of a share."""
        self.append_to(f"share-{share_id}", *events)

    def append_to(self, stream: str, *events: Event) -> None:
        """Append *events* to any stream."""
        before = self._versions.get(stream, 0)
        entries = [(envelope(f"c{before}"), event) for event in events]
        asyncio.run(self.log.append(stream, before, entries))
        self._versions[stream] = before + len(events)

    def available_share(self, share_id: str, *later: Event, **properties: Any) -> None:
        """Append the events of a share that became available, then *later*."""
        self.append(share_id, requested(share_id, **properties), began("create"), created(), *later)

    def replay(self, share_id: str) -> Share:
        """The share, replayed from its stream."""
        events: Any = [recorded.event for recorded in self.log.read(f"share-{share_id}")]
        return share.view(replay(share, events))

    def close(self) -> None:
        for catalog in self._catalogs:
            catalog.close()


def ids(items: Any) -> list[str]:
    return [item.id for item in items]


class Fixtures:
    """The fixtures of a catalog contract; subclasses add `open_log` and `settings`."""

    @pytest.fixture
    def logged(
        self, open_log: OpenLog, settings: LogSettings, tmp_path: Path
    ) -> Iterator[LoggedShares]:
        logged = LoggedShares(open_log, settings, tmp_path / "catalog.db")
        yield logged
        logged.close()

    @pytest.fixture
    def catalog(self, logged: LoggedShares) -> Catalog:
        return logged.open_catalog()


class OnSQLite:
    @pytest.fixture
    def settings(self, sqlite_settings: LogSettings) -> LogSettings:
        return sqlite_settings

    @pytest.fixture
    def open_log(self, open_sqlite: OpenLog) -> OpenLog:
        return open_sqlite


class OnPostgres:
    @pytest.fixture
    def settings(self, postgres_settings: LogSettings) -> LogSettings:
        return postgres_settings

    @pytest.fixture
    def open_log(self, open_postgres: OpenLog) -> OpenLog:
        return open_postgres


class OnPartitions:
    @pytest.fixture
    def settings(self, partitioned_settings: LogSettings) -> LogSettings:
        return partitioned_settings

    @pytest.fixture
    def open_log(self, open_partitioned: OpenLog) -> OpenLog:
        return open_partitioned
