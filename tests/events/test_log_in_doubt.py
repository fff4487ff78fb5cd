"""Commits in PostgreSQL whose reply is lost, and statements that the server cancels."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from share_actors.config import LogSettings
from share_actors.errors import LogError, LogInDoubt
from share_actors.events.log import Log
from tests.events.appending import append, eventually, ids
from tests.events.conftest import OpenLog
from tests.events.postgres import admin

GATE = 4711
"""The advisory lock that a commit waits for."""
COMMITS_WAIT = """
    CREATE FUNCTION {s}.wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        WHILE NOT pg_try_advisory_xact_lock_shared(4711) LOOP PERFORM pg_sleep(0.02); END LOOP;
        RETURN NULL;
    END$$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON {s}.stored_events
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {s}.wait()
"""
INSERTIONS_ARE_CANCELLED = """
    CREATE SEQUENCE {s}.tries;
    CREATE FUNCTION {s}.cancel() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM nextval('{s}.tries'); RAISE query_canceled; END$$;
    CREATE TRIGGER cancel BEFORE INSERT ON {s}.stored_events EXECUTE FUNCTION {s}.cancel()
"""
WAITING = """
    SELECT pid FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, 'WITH turn')
    AND wait_event_type IS DISTINCT FROM 'Lock'
"""


def execute(settings: LogSettings, text: str) -> list[Any]:
    with admin(settings) as connection:
        cursor = connection.execute(text.replace("{s}", settings.schema_name).encode())
        return cursor.fetchall() if cursor.description else []


@contextmanager
def closed_gate(settings: LogSettings) -> Iterator[None]:
    """Let every commit wait until the block ends."""
    execute(settings, COMMITS_WAIT)
    with admin(settings) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
        yield


def waiting(settings: LogSettings) -> list[int]:
    """The server's processes whose commit waits."""
    return [pid for (pid,) in execute(settings, WAITING)]


def cut_off(log: Log, pid: int) -> None:
    """Cut the connection to the server's process *pid* at this end; the process goes on."""
    for each in connections_in_use(log):
        if each.info.backend_pid == pid:
            with socket.socket(fileno=os.dup(each.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)


def connections_in_use(log: Log) -> list[psycopg.Connection]:
    """The connections of the log that its pool has lent."""
    pool = log._recorder.datastore.pool  # type: ignore[attr-defined]
    known = [each for each in gc.get_objects() if isinstance(each, psycopg.Connection)]
    return [each for each in known if getattr(each, "_pool", None) is pool and not each.closed]


def test_an_event_of_which_the_log_says_that_it_was_not_recorded_is_not_recorded_later(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    log = open_postgres(lock_timeout_s=1)

    with ThreadPoolExecutor(1) as beside:
        with closed_gate(postgres_settings):
            said: Future[object] = beside.submit(append, log, "a", 0, "x")
            assert eventually(lambda: len(waiting(postgres_settings)) == 1, 20)
            [first] = waiting(postgres_settings)
            cut_off(log, first)
            assert eventually(lambda: said.done() or is_repeated(postgres_settings, first), 60)
        error = said.exception(60)
    assert eventually(lambda: has_ended(postgres_settings, first), 20)

    assert error is None or "nothing was recorded" in str(error)
    assert ids(log.read("a")) == ([] if error else ["x"])


def is_repeated(settings: LogSettings, first: int) -> bool:
    """Whether another session waits at the gate, instead of the *first*."""
    now = waiting(settings)
    return bool(now) and first not in now


def has_ended(settings: LogSettings, pid: int) -> bool:
    return not execute(settings, f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}")


def test_a_commit_is_in_doubt_while_its_session_does_not_end(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    log = open_postgres()
    with ThreadPoolExecutor(1) as beside, closed_gate(postgres_settings):
        said = beside.submit(append, log, "a", 0, "x")
        assert eventually(lambda: len(waiting(postgres_settings)) == 1, 20)
        [pid] = waiting(postgres_settings)
        os.kill(pid, signal.SIGSTOP)
        try:
            cut_off(log, pid)
            error = said.exception(60)
        finally:
            os.kill(pid, signal.SIGCONT)

    assert isinstance(error, LogInDoubt)
    recorded = ids(log.read("a"))
    assert eventually(lambda: has_ended(postgres_settings, pid), 20)
    assert ids(log.read("a")) == recorded


def test_a_server_that_does_not_reply_is_not_waited_for_without_end(
    open_postgres: OpenLog, postgres_settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from share_actors.events.log.postgres import connection as postgres_connection

    monkeypatch.setattr(postgres_connection, "GRACE_S", -29.0)  # one second in all
    log = open_postgres()
    append(log, "a", 0, "x")
    paused = sessions(log, postgres_settings)
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(LogInDoubt, match="has not replied for 1 s"):
            append(log, "a", 1, "y")
    finally:
        for pid in paused:
            os.kill(pid, signal.SIGCONT)

    assert eventually(lambda: all(has_ended(postgres_settings, pid) for pid in paused), 20)
    version = log.version("a")
    assert append(log, "a", version, "z")[0].version == version + 1


def sessions(log: Log, settings: LogSettings) -> list[int]:
    """The server's processes of all connections of the log."""
    name = log._recorder.datastore.pool.kwargs["application_name"]  # type: ignore[attr-defined]
    found = f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'"
    return [pid for (pid,) in execute(settings, found)]


def test_a_statement_that_the_server_cancels_is_not_repeated(
    open_postgres: OpenLog, postgres_settings: LogSettings
) -> None:
    log = open_postgres()
    execute(postgres_settings, INSERTIONS_ARE_CANCELLED)

    with pytest.raises(LogError, match="nothing was recorded"):
        append(log, "a", 0, "x")

    [(tries,)] = execute(postgres_settings, "SELECT last_value FROM {s}.tries")
    assert tries == 1
