"""`kill -9` at every step of the commands that write logs and files, with a log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from psycopg import sql

from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import LogSettings
from share_actors.events.log.rows import Row, rows_in_order
from tests.events.postgres import admin
from tests.retention import test_kills
from tests.retention.conftest import Site
from tests.retention.test_kills import AT, Killed, check_kills
from tests.retention.test_restore_drill import url_of

_schemas = count(1)


class Index(Killed):
    """`log index` of a URL, of which there is none."""

    def prepare(self) -> None:
        self.index, self.url = self.home / "log.index", url_of(self.site)

    def listed(self, *options: str) -> str:
        return self.site.run("log", "list", "--at", AT, "--log", self.url, *options)

    def run(self) -> None:
        self.site.run("log", "index", "--log", self.url, "--index", str(self.index))

    def check(self) -> None:
        expected = self.listed()
        self.run()
        assert self.listed("--index", str(self.index)) == expected


class Drill(Killed):
    """`log restore-drill` of a URL into another schema."""

    def prepare(self) -> None:
        self.backup, self.new = url_of(self.site), _other(self.site.config.log)
        self.expected = rows_of(self.site.config.log)

    def run(self) -> None:
        into = f"{url_of(self.site)}_new"
        self.site.run("log", "restore-drill", self.backup, "--into", into)

    def check(self) -> None:
        if schemas(self.new) and (found := rows_of(self.new)):
            assert found == self.expected
        drop(self.new)
        self.run()
        assert rows_of(self.new) == self.expected


class DrillOfExport(Drill):
    """The same of an export."""

    def prepare(self) -> None:
        super().prepare()
        self.backup = str(self.home / "log.jsonl")
        self.site.run("log", "export", "--output", self.backup)


class Import(DrillOfExport):
    """`log import` into an empty schema."""

    def prepare(self) -> None:
        super().prepare()
        (other := self.home / "other").mkdir()
        self.imported = Site(other, self.new)

    def run(self) -> None:
        self.imported.run("log", "import", self.backup)


class Repartition(Killed):
    """`log repartition`, which keeps the old table."""

    def prepare(self) -> None:
        self.expected = rows_of(self.site.config.log)

    def run(self) -> None:
        self.site.run("log", "repartition", "--partitions", "2")

    def check(self) -> None:
        assert rows_of(self.site.config.log) == self.expected
        was = events_tables(self.site.config.log)
        assert was in (["stored_events"], [*PARTED, *KEPT])
        self.run()
        assert events_tables(self.site.config.log) == [*PARTED, *KEPT]
        assert rows_of(self.site.config.log) == self.expected


class DropPrevious(Repartition):
    """`log repartition --drop-previous`."""

    def prepare(self) -> None:
        super().prepare()
        super().run()

    def run(self) -> None:
        self.site.run("log", "repartition", "--drop-previous")

    def check(self) -> None:
        assert rows_of(self.site.config.log) == self.expected
        assert events_tables(self.site.config.log) in (PARTED, [*PARTED, *KEPT])
        self.run()
        assert events_tables(self.site.config.log) == PARTED


COMMANDS = (
    test_kills.Archive,
    Index,
    Drill,
    DrillOfExport,
    Import,
    test_kills.Export,
    Repartition,
    DropPrevious,
)
PARTED = ["stored_events", "stored_events_0", "stored_events_1"]
KEPT = ["stored_events_before"]


def _other(settings: LogSettings) -> LogSettings:
    return settings.model_copy(update={"schema_name": f"{settings.schema_name}_new"})


def rows_of(settings: LogSettings) -> list[Row]:
    with open_rows(settings, Path()) as read:
        return list(rows_in_order(read))


def schemas(settings: LogSettings) -> list[tuple[str]]:
    """The schema of *settings*, if its table of events is there."""
    query = "SELECT schemaname FROM pg_tables WHERE tablename = 'stored_events' AND schemaname = %s"
    with admin(settings) as connection:
        return connection.execute(query, (settings.schema_name,)).fetchall()


def events_tables(settings: LogSettings) -> list[str]:
    """The tables of events in the schema, those of partitions first."""
    query = (
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'stored_events%%'"
        " ORDER BY tablename"
    )
    with admin(settings) as connection:
        return [name for (name,) in connection.execute(query, (settings.schema_name,))]


def drop(settings: LogSettings) -> None:
    """Drop the schema, once the server has ended the session of the killed process."""
    name = sql.Identifier(settings.schema_name)
    with admin(settings) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))


@pytest.fixture(params=COMMANDS, ids=lambda kind: kind.__name__)
def made(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres_server: LogSettings,
) -> Callable[[str], Killed]:
    """Makes a command on a log in a schema of its own, with a directory for temporary files."""

    def make(name: str) -> Killed:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name / "tmp"))
        settings = postgres_server.model_copy(update={"schema_name": f"killed_{next(_schemas)}"})
        killed: Killed = request.param(tmp_path / name, settings)
        return killed

    return make


def test_a_kill_at_some_steps_loses_nothing_in_postgresql(made: Callable[[str], Killed]) -> None:
    check_kills(made, all_steps=False)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_at_every_step_loses_nothing_in_postgresql(made: Callable[[str], Killed]) -> None:
    check_kills(made, all_steps=True)
