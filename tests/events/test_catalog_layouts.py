"""On PostgreSQL a catalog of another layout stays until a new one beside it has caught up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import Connection

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog import Catalog
from share_actors.events.catalog import postgres as catalog_postgres
from tests.events.catalog_fixtures import Fixtures, LoggedShares, OnPostgres, allowed
from tests.events.postgres import admin

OLDER = "catalog_3_shares"


@pytest.fixture
def schema(postgres_settings: LogSettings) -> str:
    return postgres_settings.schema_name


@pytest.fixture
def database(postgres_settings: LogSettings) -> Iterator[Connection[tuple[object, ...]]]:
    with admin(postgres_settings) as connection:
        yield connection


class TestLayoutsOnPostgres(OnPostgres, Fixtures):
    @pytest.fixture(autouse=True)
    def _older_layouts(
        self, catalog: Catalog, database: Connection[tuple[object, ...]], schema: str
    ) -> None:
        for table in (OLDER, "catalog_shares"):
            database.execute(f'CREATE TABLE "{schema}"."{table}" (id TEXT)')

    def test_other_layouts_stay_until_the_catalog_is_whole(
        self, logged: LoggedShares, database: Connection[tuple[object, ...]], schema: str
    ) -> None:
        logged.available_share("s1")
        catalog = logged.open_catalog()

        catalog.catch_up(1)
        assert {OLDER, "catalog_shares"} <= tables(database, schema)

        catalog.catch_up()
        assert not {OLDER, "catalog_shares"} & tables(database, schema)
        assert {"stored_events", f"{catalog_postgres.OWN}shares"} <= tables(database, schema)
        assert catalog.share("s1") == logged.replay("s1")

    def test_a_table_that_is_in_use_stays_and_the_catalog_is_followed(
        self,
        logged: LoggedShares,
        database: Connection[tuple[object, ...]],
        schema: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(catalog_postgres, "DROP_TIMEOUT", "10ms")
        logged.available_share("s1")
        catalog = logged.open_catalog()

        with database.transaction():
            database.execute(f'SELECT * FROM "{schema}"."{OLDER}"')
            assert catalog.catch_up() == 3
            with pytest.raises(LogError, match="lock timeout"):
                catalog.compact()
        logged.append("s1", allowed())

        assert catalog.share("s1") == logged.replay("s1")
        assert OLDER in tables(database, schema)
        catalog.compact()
        assert OLDER not in tables(database, schema)


def tables(database: Connection[tuple[object, ...]], schema: str) -> set[object]:
    found = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
    return {name for (name,) in found}
