"""The SQLite file of a catalog: derived from the log, and checked before it is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog import Catalog, sql
from tests.events.catalog_fixtures import Fixtures, LoggedShares, OnSQLite, ids, snapped
from tests.events.conftest import OpenLog


def edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


class TestCatalogFile(OnSQLite, Fixtures):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "catalog.db"

    @pytest.mark.parametrize("more", [{}, {"project_id": "p"}, {"status": "error"}])
    @pytest.mark.parametrize("or_public", [None, False, True])
    def test_a_share_is_sought_by_the_index_of_names_and_not_in_its_whole_project(
        self, logged: LoggedShares, path: Path, more: dict[str, str], or_public: bool | None
    ) -> None:
        logged.open_catalog()
        scope = sql.own_rows(sql.SHARES, "p", or_public=or_public is True)
        query = sql.page(
            sql.SHARES, {"name": "n", **more}, (), 2, sql.EVERYTHING if or_public is None else scope
        )

        with closing(sqlite3.connect(path)) as connection:
            text = f"EXPLAIN QUERY PLAN {query.text.replace('{s}', '')}"
            plan = [str(row[3]) for row in connection.execute(text, query.values)]

        assert plan[0] == "SEARCH catalog_shares USING INDEX catalog_shares_name (name=?)"

    def test_a_deleted_catalog_file_is_rebuilt(self, logged: LoggedShares, path: Path) -> None:
        logged.available_share("s1")
        logged.open_catalog().close()
        path.unlink()

        assert logged.open_catalog().share("s1") == logged.replay("s1")

    def test_the_catalog_file_is_readable_by_its_owner_only(
        self, logged: LoggedShares, path: Path
    ) -> None:
        logged.open_catalog()

        assert path.stat().st_mode & 0o077 == 0

    def test_a_catalog_of_another_layout_is_replayed(
        self, logged: LoggedShares, path: Path
    ) -> None:
        logged.available_share("s1", snapped())
        older = logged.open_catalog()
        assert older.catch_up() == 4
        older.close()
        edit(path, "UPDATE catalog_layout SET layout = 'old'")
        edit(path, "DROP TABLE catalog_snapshots")
        edit(path, "CREATE TABLE catalog_snapshots (id TEXT)")

        catalog = logged.open_catalog()

        assert catalog.position() == 0
        assert ids(catalog.snapshots().items) == ["n"]

    def test_a_catalog_that_is_ahead_of_the_log_is_replayed(
        self,
        logged: LoggedShares,
        settings: LogSettings,
        open_log: OpenLog,
        log_path: Path,
        path: Path,
    ) -> None:
        logged.available_share("s1")
        logged.available_share("s2")
        catalog = logged.open_catalog()
        catalog.catch_up()
        catalog.close()
        logged.log.close()
        log_path.unlink()  # and restore another one in its place

        restored = LoggedShares(open_log, settings, path)
        restored.available_share("s3")

        assert ids(restored.open_catalog().shares().items) == ["s3"]
        restored.close()

    def test_a_damaged_row_is_an_error_that_requires_a_rebuild(
        self, logged: LoggedShares, path: Path
    ) -> None:
        logged.available_share("s1")
        catalog = logged.open_catalog()
        catalog.catch_up()
        edit(path, "UPDATE catalog_shares SET state = '{'")

        with pytest.raises(LogError, match="rebuild the catalog"):
            catalog.shares()
        assert catalog.rebuild() == 3
        assert catalog.share("s1") == logged.replay("s1")

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda path: path.write_bytes(b"no database " * 400), "file is not a database"),
            (lambda path: path.mkdir(), "unable to open|directory"),
            (lambda path: edit(path, "CREATE TABLE precious (x)"), "of another application"),
        ],
    )
    def test_a_file_that_is_not_a_catalog_is_refused_and_unchanged(
        self, logged: LoggedShares, path: Path, spoil: Callable[[Path], object], message: str
    ) -> None:
        spoil(path)
        before = path.read_bytes() if path.is_file() else b""

        with pytest.raises(LogError, match=message) as refusal:
            logged.open_catalog()

        assert str(path) in str(refusal.value)
        assert not path.is_file() or path.read_bytes() == before

    def test_the_file_of_the_log_is_refused_as_a_catalog(
        self, logged: LoggedShares, settings: LogSettings, log_path: Path
    ) -> None:
        with pytest.raises(LogError, match="of another application"):
            Catalog.open(logged.log, settings, log_path)
