"""A log in PostgreSQL: connections, permissions, durability and outages of the server."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.errors import ConfigError, LogError, LogInDoubt
from share_actors.events.log import Conflict, Log
from share_actors.events.log.postgres import store as postgres
from tests.conftest import within
from tests.events.appending import append, entries, ids
from tests.events.conftest import OpenLog
from tests.events.postgres import admin

NOWHERE = Path("not-used")
CLOSE_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def test_a_refused_connection_is_an_error_within_a_few_seconds() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        port = taken.getsockname()[1]
        started = time.monotonic()

        with pytest.raises(LogError, match=rf"log\.host 127\.0\.0\.1 log\.port {port}.*refused"):
            Log.open(LogSettings(kind="postgresql", port=port), NOWHERE)

    assert time.monotonic() - started < 8


@pytest.mark.parametrize("module", ["psycopg", "psycopg_pool"])
def test_a_missing_postgresql_package_is_an_error(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigError, match=rf"{module} is.*pip install share-actors\[postgresql\]"):
        Log.open(LogSettings(kind="postgresql"), NOWHERE)


def test_a_missing_encryption_package_is_an_error(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(ConfigError, match=r"pip install share-actors\[encryption\]"):
        Log.open(LogSettings.model_validate({"cipher_key": "A" * 22 + "=="}), log_path)


@pytest.mark.parametrize("name", ["", "Upper", "a b", 'x"; DROP SCHEMA public; --'])
def test_an_invalid_schema_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"log\.schema_name"):
        LogSettings(kind="postgresql", schema_name=name)


def test_a_missing_database_is_an_error_that_names_it(postgres_settings: LogSettings) -> None:
    settings = postgres_settings.model_copy(update={"database": "nowhere"})

    with pytest.raises(LogError, match=r"log\.database nowhere: .* does not exist"):
        Log.open(settings, NOWHERE)


def test_a_missing_log_is_an_error_if_it_must_exist(postgres_settings: LogSettings) -> None:
    with pytest.raises(LogError, match=rf"schema {postgres_settings.schema_name} has no log"):
        Log.open(postgres_settings, NOWHERE, create=False)


def test_several_processes_may_create_the_same_log_at_once(postgres_settings: LogSettings) -> None:
    def write(i: int) -> None:
        log = Log.open(postgres_settings, NOWHERE)
        append(log, f"s{i}", 0, "x")
        log.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))

    log = Log.open(postgres_settings, NOWHERE, nodes=2, create=False)
    assert len(log.notifications(0, 10)) == 4
    log.close()


def test_a_start_that_waits_too_long_for_another_one_is_an_error(
    postgres_settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_TIMEOUT_S", 1)
    with admin(postgres_settings) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (postgres._SETUP_LOCK,))

        with pytest.raises(LogError, match="statement timeout"):
            Log.open(postgres_settings.model_copy(update={"lock_timeout_s": 1}), NOWHERE)


def test_a_commit_is_durable_whatever_the_servers_settings(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    with admin(postgres_settings) as connection:
        connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
        datastore = open_postgres()._recorder.datastore  # type: ignore[attr-defined]

        with datastore.transaction() as cursor:
            row = cursor.execute("SHOW synchronous_commit").fetchone()

        connection.execute("ALTER ROLE postgres RESET synchronous_commit")
    assert row == {"synchronous_commit": "on"}


def test_a_log_continues_after_the_server_closed_its_connections(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    log = open_postgres()
    append(log, "a", 0, "x")

    cut_connections(postgres_settings)

    append(log, "a", 1, "y")
    assert ids(log.read("a")) == ["x", "y"]


def cut_connections(settings: LogSettings) -> None:
    with admin(settings) as connection:
        connection.execute(CLOSE_CONNECTIONS)


@contextmanager
def unreachable(settings: LogSettings) -> Iterator[None]:
    """Make the server unreachable by hiding its socket."""
    socket, hidden = Path(settings.host) / ".s.PGSQL.5432", Path(settings.host) / "hidden"
    connection = admin(settings)
    socket.rename(hidden)
    try:
        with connection:
            connection.execute(CLOSE_CONNECTIONS)
        yield
    finally:
        hidden.rename(socket)


@pytest.mark.soak
def test_appends_fail_while_the_server_is_down_and_succeed_afterwards(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    log = open_postgres()
    append(log, "a", 0, "x")

    with unreachable(postgres_settings):
        with pytest.raises(
            LogInDoubt, match=r"log\.host .* it is unknown whether the events were recorded"
        ):
            append(log, "a", 1, "y")
        with pytest.raises(LogError, match="check that the server runs"):
            log.read("a")

    append(log, "a", 1, "y")
    assert ids(log.read("a")) == ["x", "y"]


@pytest.mark.parametrize(("rows", "size"), [(900, 550), (3, 200_000), (1, 900_000), (2500, 900)])
def test_a_large_commit_is_recorded_whole_and_in_order(
    open_postgres: OpenLog, rows: int, size: int
) -> None:
    log = open_postgres()

    recorded = within(60, log.append("a", 0, entries(*["x" * size] * rows)))

    positions = [item.position or 0 for item in recorded]
    assert positions == list(range(positions[0], positions[0] + rows))
    assert (len(log.read("a")), log.version("a")) == (rows, rows)


def test_a_large_commit_that_conflicts_records_nothing(open_postgres: OpenLog) -> None:
    log = open_postgres()
    append(log, "a", 0, "x")

    with pytest.raises(Conflict):
        within(60, log.append("a", 0, entries(*["x" * 550] * 900)))

    assert (log.version("a"), len(log.read("a"))) == (1, 1)
