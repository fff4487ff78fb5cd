"""Known hazards of the `eventsourcing` library, and how the log avoids each."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import pytest
from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import retry

from share_actors.config import LogSettings
from share_actors.errors import LogError, LogTooNew
from share_actors.events.log import Conflict, Log, infrastructure
from share_actors.events.log.sqlite.recorder import ChunkedRecorder
from tests.events.appending import append, at_once, entries, eventually, ids
from tests.events.conftest import OpenLog
from tests.events.postgres import admin

Rows = Sequence[StoredEvent]


def meddle(path: Path, statement: str, *parameters: object) -> None:
    """Change the log's tables directly."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, parameters)
        connection.commit()


# -- POSTGRES_ENABLE_DB_FUNCTIONS loses events for those who follow the log -----------------------
def test_the_librarys_database_functions_are_never_enabled(
    monkeypatch: pytest.MonkeyPatch, open_postgres: OpenLog
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")

    recorder = open_postgres()._recorder

    assert isinstance(recorder, PostgresApplicationRecorder)
    assert recorder.datastore.enable_db_functions is False


SLOW = """
    CREATE FUNCTION {schema}.linger() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$;
    CREATE TRIGGER linger AFTER INSERT ON {schema}.stored_events FOR EACH ROW
        WHEN (NEW.originator_id = 'slow') EXECUTE FUNCTION {schema}.linger();
"""


def test_a_reader_that_follows_the_log_does_not_overtake_a_slow_commit(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    slow, quick, reader = open_postgres(), open_postgres(), open_postgres()
    with admin(postgres_settings) as connection:
        connection.execute(SLOW.format(schema=postgres_settings.schema_name).encode())
    writers = [
        Thread(target=append, args=(slow, "slow", 0, "x")),
        Timer(0.1, append, args=(quick, "quick", 0, "x")),
    ]
    for writer in writers:
        writer.start()

    seen = list(follow(reader, while_alive=writers))

    assert seen == ["slow", "quick"]


def follow(log: Log, while_alive: Sequence[Thread]) -> Iterator[str]:
    """Follow the log until all writers have ended; returns the streams of the events in order."""
    at, alive = 0, True
    while alive:
        alive = any(thread.is_alive() for thread in while_alive)
        for n in log.notifications(at, 10):
            at = n.position
            yield n.stream


def test_the_librarys_environment_variables_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, open_sqlite: OpenLog, log_path: Path
) -> None:
    monkeypatch.setenv("PERSISTENCE_MODULE", "eventsourcing.popo")
    monkeypatch.setenv("SQLITE_DBNAME", ":memory:")
    monkeypatch.setenv("COMPRESSOR_TOPIC", "os:system")

    append(open_sqlite(), "a", 0, "x")

    assert open_sqlite().head() == 1


# -- a snapshot that fails after the commit makes the save fail -----------------------------------
def test_a_failed_snapshot_does_not_fail_the_append(open_sqlite: OpenLog, log_path: Path) -> None:
    log = open_sqlite()
    meddle(log_path, "DROP TABLE stored_snapshots")

    written = append(log, "a", 0, "x")
    log.save_snapshot("a", 1, "k", b"state")

    assert eventually(lambda: log.snapshot_failures == 1)
    assert log.load_snapshot("a") is None
    assert append(log, "a", 1, "y")[0].position == written[0].position + 1


def test_a_damaged_snapshot_counts_as_missing(open_sqlite: OpenLog, log_path: Path) -> None:
    log = open_sqlite()
    log.save_snapshot("a", 1, "k", b"state")
    assert eventually(lambda: log.load_snapshot("a") is not None)

    meddle(log_path, "UPDATE stored_snapshots SET state = x'00ff'")

    assert log.load_snapshot("a") is None


# -- one bad event stops a reader for good ----------------------------------------------------------
def test_an_unreadable_event_does_not_hide_the_others(open_sqlite: OpenLog, log_path: Path) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x", "y", "z")
    meddle(log_path, "UPDATE stored_events SET state = x'00ff' WHERE originator_version = 2")

    rows = log.notifications(0, 10)

    assert ids([log.decode(row) for row in rows if row.version != 2]) == ["x", "z"]
    with pytest.raises(LogError, match=r"stream a version 2: access\.denied"):
        log.decode(rows[1])
    with pytest.raises(LogError, match=r"stream a version 2: access\.denied"):
        log.read("a")


def test_a_log_with_an_unreadable_last_event_can_be_opened(
    open_sqlite: OpenLog, log_path: Path
) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x", "y")
    meddle(log_path, "UPDATE stored_events SET state = x'00ff' WHERE originator_version = 2")

    assert append(open_sqlite(), "b", 0, "z")[0].position == 3


# -- topics read from the database are imported -----------------------------------------------------
@pytest.mark.parametrize("topic", ["os:system", "this:s", "antigravity"])
def test_a_topic_from_the_database_is_never_imported(
    topic: str, open_sqlite: OpenLog, log_path: Path
) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x")
    meddle(log_path, "UPDATE stored_events SET topic = ?", topic)

    with pytest.raises(LogTooNew, match=f"unknown event topic '{topic}'"):
        log.read("a")

    assert not {"this", "antigravity"} & set(sys.modules)


# -- a commit whose answer was lost is made again, and conflicts with itself ------------------------
class AnswerLost(ChunkedRecorder):
    """A recorder that inserts, then raises an error."""

    def insert_events(self, stored_events: Rows, **kwargs: Any) -> Sequence[int] | None:
        super().insert_events(stored_events, **kwargs)
        raise OperationalError("the connection was lost")


class MadeTwice(ChunkedRecorder):
    """A recorder that inserts, then inserts the same rows again."""

    def insert_events(self, stored_events: Rows, **kwargs: Any) -> Sequence[int] | None:
        super().insert_events(stored_events, **kwargs)
        return super().insert_events(stored_events, **kwargs)


class MadeTwiceInPostgres(PostgresApplicationRecorder):
    """A recorder whose first reply is lost, so that the library's retry inserts again."""

    lost = False

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.01)
    def insert_events(self, stored_events: Rows, **kwargs: Any) -> Sequence[int] | None:
        ids = super().insert_events(stored_events, **kwargs)
        if not self.lost:
            self.lost = True
            raise OperationalError("the connection was lost")
        return ids  # type: ignore[no-any-return]


@pytest.mark.parametrize("recorder", [AnswerLost, MadeTwice])
def test_a_commit_that_took_effect_is_a_success_whatever_error_was_raised(
    recorder: type[ChunkedRecorder], monkeypatch: pytest.MonkeyPatch, open_sqlite: OpenLog
) -> None:
    append(open_sqlite(), "before", 0, "x", "y")
    monkeypatch.setattr(infrastructure, "ChunkedRecorder", recorder)

    check_landed(open_sqlite())


def test_a_commit_that_the_library_repeated_is_a_success(
    monkeypatch: pytest.MonkeyPatch, open_postgres: OpenLog
) -> None:
    append(open_postgres(), "before", 0, "x", "y")
    monkeypatch.setattr(PostgresFactory, "application_recorder_class", MadeTwiceInPostgres)

    check_landed(open_postgres())


def check_landed(log: Log) -> None:
    first, second = at_once(
        lambda: log.append("a", 0, entries("x", "y")), lambda: log.append("b", 0, entries("z"))
    )

    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert [r.event_id for r in first] == [r.event_id for r in log.read("a")]
    positions = {n.position: (n.stream, n.version) for n in log.notifications(0, 10)}
    assert all(positions[r.position] == (r.stream, r.version) for r in (*first, *second))


def test_equal_events_of_another_writer_are_a_conflict(
    monkeypatch: pytest.MonkeyPatch, open_sqlite: OpenLog
) -> None:
    append(open_sqlite(), "a", 0, "x")
    monkeypatch.setattr(infrastructure, "ChunkedRecorder", MadeTwice)
    log = open_sqlite()

    with pytest.raises(Conflict):
        asyncio.run(log.append("a", 0, entries("x")))
