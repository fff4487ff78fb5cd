"""`log repartition`: another number of tables, with every event at its position."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg.sql import SQL

from share_actors.audit.archives import archive
from share_actors.audit.reading.reader_postgres import PostgresSource
from share_actors.audit.transfer.repartition import repartition
from share_actors.config import LogSettings
from share_actors.errors import ConfigError, LogError
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.log import Log
from share_actors.events.log.partitions import partition_of
from share_actors.values import OPERATOR
from tests.audit.conftest import write_story
from tests.events.appending import append
from tests.events.conftest import OpenLog
from tests.events.postgres import admin
from tests.retention.archives import NOW
from tests.retention.conftest import Site

NewSite = Callable[[int], Site]


def with_story(site: Site) -> Site:
    with site.log() as log:
        write_story(log)
        for number in range(12):
            append(log, f"stream-{number}", 0, "x", "y")
    return site


def tables(settings: LogSettings) -> dict[str, int]:
    """The tables of events in the schema, and how many rows each has itself."""
    names = (
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'stored_events%%'"
    )
    with admin(settings) as connection:
        found = connection.execute(names, (settings.schema_name,)).fetchall()
        return {name: count(connection, settings, name) for (name,) in found}


def count(connection: object, settings: LogSettings, table: str) -> int:
    statement = f'SELECT count(*) FROM ONLY {settings.schema_name}."{table}"'
    found: int = connection.execute(statement).fetchone()[0]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (4, 3)])
def test_all_events_keep_their_positions_and_the_log_goes_on(
    new_site: NewSite, before: int, after: int
) -> None:
    site = with_story(new_site(before))
    rows = site.rows()

    done = site.json("log", "repartition", "--partitions", str(after))

    changed = new_site(after)
    assert (done["before"], done["partitions"], done["events"]) == (before, after, len(rows))
    assert changed.rows() == rows
    with changed.log() as log:
        [recorded] = append(log, "stream-3", 2, "z")
        assert recorded.position == rows[-1].position + 1
        assert log.version("stream-3") == 3


def test_the_tables_of_before_are_kept_until_they_are_dropped(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    rows = len(site.rows())

    site.run("log", "repartition", "--partitions", "2")
    kept = tables(site.config.log)
    site.run("log", "repartition", "--partitions", "3", code=3)
    site.run("log", "repartition", "--drop-previous")

    assert kept["stored_events_before"] == rows
    assert kept["stored_events_0"] + kept["stored_events_1"] == rows
    assert sorted(tables(site.config.log)) == [
        "stored_events",
        "stored_events_0",
        "stored_events_1",
    ]
    with new_site(2).log() as log:  # the sequence of positions is still there
        assert append(log, "new", 0, "x")[0].position == rows + 1


def test_repeating_it_changes_nothing(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    site.run("log", "repartition", "--partitions", "2")
    before = tables(site.config.log)

    said = site.run("log", "repartition", "--partitions", "2")

    assert "has 2 partitions already" in said
    assert tables(site.config.log) == before


def test_privileges_on_the_events_are_kept(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    schema = site.config.log.schema_name
    with admin(site.config.log) as connection:
        connection.execute(f"CREATE ROLE auditor_{schema}".encode())
        connection.execute(f"GRANT SELECT ON {schema}.stored_events TO auditor_{schema}".encode())

    site.run("log", "repartition", "--partitions", "2")

    asked = "SELECT has_table_privilege(%s, %s, 'SELECT')"
    with admin(site.config.log) as connection:
        for table in ("stored_events", "stored_events_1", "log_partitions"):
            given = (f"auditor_{schema}", f"{schema}.{table}")
            assert connection.execute(asked, given).fetchone() == (True,)


def test_a_log_in_use_is_not_divided(new_site: NewSite) -> None:
    from share_actors.events.log.lease.lease import Owner
    from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store

    site = with_story(new_site(1))
    owner = Owner(system="other", namespace="n", home="h", host="elsewhere", pid=1)
    with site.log() as log:
        LeaseKeeper(lease_store(site.config.log, site.config.log_path), owner).keep(log)

        said = site.run("log", "repartition", "--partitions", "2", code=12)

    assert "is in use by" in said
    assert list(tables(site.config.log)) == ["stored_events"]


def test_a_role_that_does_not_own_the_tables_is_told_so(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    schema = site.config.log.schema_name
    grants = (
        f"CREATE ROLE clerk_{schema} LOGIN; GRANT ALL ON SCHEMA {schema} TO clerk_{schema};"
        f" GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO clerk_{schema}"
    )
    with admin(site.config.log) as connection:
        connection.execute(grants.encode())
    log = site.config.log.model_copy(update={"user": f"clerk_{schema}"})

    with pytest.raises(LogError, match="run the command as the owner of the log's tables"):
        repartition(site.config.model_copy(update={"log": log}), 2)

    assert list(tables(site.config.log)) == ["stored_events"]


@pytest.mark.parametrize(
    "options",
    [(), ("--partitions", "2", "--drop-previous"), ("--partitions", "0"), ("--partitions", "33")],
)
def test_options_that_mean_nothing_are_refused(new_site: NewSite, options: tuple[str, ...]) -> None:
    assert "partitions" in new_site(1).run("log", "repartition", *options, code=3)


def test_another_number_than_that_of_the_log_is_refused(open_partitioned: OpenLog) -> None:
    open_partitioned()

    for number in (1, 2):
        with pytest.raises(LogError, match=r"log repartition --partitions") as caught:
            open_partitioned(partitions=number)
        assert (caught.value.field, caught.value.value) == ("log.partitions", number)


def test_a_sqlite_log_has_one_partition() -> None:
    with pytest.raises(ConfigError, match=r"log\.partitions.*postgresql"):
        LogSettings(kind="sqlite", partitions=2)


def test_a_version_that_does_not_know_partitions_cannot_write_past_them(
    open_partitioned: OpenLog, postgres_settings: LogSettings
) -> None:
    open_partitioned()
    insert = "INSERT INTO {s}.{t} VALUES ('a', 1, 'topic', '')"
    wrong = (partition_of("a", 4) + 1) % 4

    with admin(postgres_settings) as connection:
        for table in ("stored_events", f"stored_events_{wrong}"):
            with pytest.raises(Exception, match="violates check constraint"):
                connection.execute(insert.format(s=postgres_settings.schema_name, t=table).encode())


def test_the_database_agrees_on_the_partition_of_each_stream(
    open_partitioned: OpenLog, postgres_settings: LogSettings
) -> None:
    log: Log = open_partitioned()
    streams = [f"share-{number}" for number in range(24)] + ["größe", "名前"]

    for stream in streams:
        append(log, stream, 0, "x")  # the constraint of each table checks it

    assert sum(tables(postgres_settings).values()) == len(streams)
    assert {partition_of(stream, 4) for stream in streams} == {0, 1, 2, 3}


def test_an_export_is_imported_into_a_partitioned_log(
    new_site: NewSite, postgres_settings: LogSettings, tmp_path: Path
) -> None:
    (home := tmp_path / "other").mkdir()
    other = with_story(Site(home))
    other.run("log", "export", "--output", str(tmp_path / "log.jsonl"))

    new_site(3).run("log", "import", str(tmp_path / "log.jsonl"))

    assert new_site(3).rows() == other.rows()
    assert tables(postgres_settings)["stored_events"] == 0


def test_archived_events_leave_the_tables_of_their_partitions(new_site: NewSite) -> None:
    site = with_story(new_site(3))
    before = [Leaf.of(row) for row in site.rows()]

    done = archive(site.config, NOW, site.file, OPERATOR)

    assert done.removed == 6
    assert [Leaf.of(row) for row in site.rows()][: len(before)] == before
    assert sum(tables(site.config.log).values()) == len(before) - 6 + 1
    site.run("log", "verify")


class OnReplica(PostgresSource):
    """Reads a server that says that it is a replica."""

    def _query(self, statement: SQL, parameters: tuple[object, ...] = ()) -> list[Any]:
        if "pg_is_in_recovery" in statement.as_string(None):
            return [(True,)]
        return super()._query(statement, parameters)


def test_only_a_log_in_one_partition_is_read_on_a_replica(new_site: NewSite) -> None:
    site = with_story(new_site(1))
    with closing(OnReplica(site.config.log)) as source:
        assert source.head() == len(site.rows())
    site.run("log", "repartition", "--partitions", "2")

    with pytest.raises(LogError, match=r"is a replica.*read the log on its primary server"):
        OnReplica(site.config.log)
