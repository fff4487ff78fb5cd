"""Figures of log and catalog for monitoring, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from share_actors.config import LogSettings
from share_actors.events.catalog import Catalog
from tests.events.catalog_fixtures import Fixtures, LoggedShares, OnPartitions, OnPostgres, OnSQLite


class CatalogFigures(Fixtures):
    def test_reading_figures_applies_no_events_and_tells_how_far_the_catalog_is(
        self, logged: LoggedShares, catalog: Catalog, settings: LogSettings, log_path: Path
    ) -> None:
        logged.available_share("s1")
        before = catalog.figures(settings, log_path)
        catalog.catch_up()
        after = catalog.figures(settings, log_path)

        assert before.as_of.applied == 0 < before.as_of.head
        assert before.lag_s > 0
        assert before.shares == {}
        assert after.as_of.applied == after.as_of.head == before.as_of.head
        assert after.lag_s == after.parked == 0
        assert after.shares == {("local", "available"): 1}

    def test_the_size_of_the_log_grows_with_its_events(
        self, logged: LoggedShares, catalog: Catalog, settings: LogSettings, log_path: Path
    ) -> None:
        logged.available_share("s0")
        small = catalog.figures(settings, log_path)
        for n in range(1, 200):
            logged.available_share(f"s{n}")
        large = catalog.figures(settings, log_path)

        assert 0 < small.log_bytes < large.log_bytes
        assert (large.disk_size is not None) == (settings.kind == "sqlite")


class TestFiguresOnSQLite(CatalogFigures, OnSQLite):
    pass


class TestFiguresOnPostgres(CatalogFigures, OnPostgres):
    pass


class TestFiguresOnPartitions(CatalogFigures, OnPartitions):
    pass
