"""The file of an SQLite log: created atomically, durable, and refused if it is not a complete log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from os import getuid, seteuid
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.errors import ConfigError, LogError
from share_actors.events.log import Log
from tests.events.appending import append, ids
from tests.events.conftest import OpenLog

SETTINGS = LogSettings()


def test_a_log_and_its_directory_are_created_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "50%#?.db"

    Log.open(SETTINGS, path).close()

    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_every_connection_is_in_wal_mode_and_syncs_fully(open_sqlite: OpenLog) -> None:
    datastore = open_sqlite()._recorder.datastore  # type: ignore[attr-defined]

    for commit in (True, False):
        with datastore.transaction(commit=commit) as cursor:
            values = [pragma(cursor, name) for name in ("synchronous", "journal_mode")]
            assert values == [2, "wal"]
            assert pragma(cursor, "busy_timeout") == 10_000


def pragma(cursor: sqlite3.Cursor, name: str) -> object:
    cursor.execute(f"PRAGMA {name}")
    return cursor.fetchone()[0]


def test_several_processes_may_create_the_same_log_at_once(log_path: Path) -> None:
    def write(i: int) -> None:
        log = Log.open(SETTINGS, log_path)
        append(log, f"s{i}", 0, "x")
        log.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(16)))

    log = Log.open(SETTINGS, log_path, create=False)
    assert log.head() == 16
    log.close()
    assert [file.name for file in log_path.parent.iterdir()] == ["log.db"]


def test_sqlite_is_refused_for_more_than_one_node(log_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log\.kind sqlite serves one node, and there are 2"):
        Log.open(SETTINGS, log_path, nodes=2)

    assert not log_path.exists()


# -- what is refused, and left as it is -----------------------------------------------------------
def not_a_database(path: Path) -> None:
    path.write_text("# my shopping list, which is rather long\n" * 10)


def of_another_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title)")


def empty(path: Path) -> None:
    path.touch()


def cut_short(path: Path) -> None:
    Log.open(SETTINGS, path).close()
    path.write_bytes(path.read_bytes()[:-4096])


def cut_in_its_header(path: Path) -> None:
    Log.open(SETTINGS, path).close()
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (not_a_database, "is not a database"),
        (of_another_application, "is the database of another application"),
        (empty, "is empty"),
        (cut_short, "is truncated"),
        (cut_in_its_header, "is truncated"),
    ],
)
def test_a_file_that_is_not_a_complete_log_is_refused(
    make: Callable[[Path], None], what: str, log_path: Path
) -> None:
    make(log_path)
    before = log_path.read_bytes(), log_path.stat().st_mtime_ns

    with pytest.raises(LogError, match=rf"log\.path {log_path}: {what}.*; (choose|restore) ") as e:
        Log.open(SETTINGS, log_path)

    assert e.value.value == str(log_path)
    assert (log_path.read_bytes(), log_path.stat().st_mtime_ns) == before
    assert [file.name for file in log_path.parent.iterdir()] == ["log.db"]


def test_a_missing_log_is_an_error_if_it_must_exist(log_path: Path) -> None:
    with pytest.raises(LogError, match="the file does not exist"):
        Log.open(SETTINGS, log_path, create=False)

    assert not log_path.exists()


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        LogError, match=rf"log\.path {tmp_path}: is a directory; choose a file in it"
    ):
        Log.open(SETTINGS, tmp_path)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as an unprivileged user, since root has all permissions."""
    if getuid() == 0:
        seteuid(65534)
    try:
        yield
    finally:
        if getuid() == 0:
            seteuid(0)


@pytest.mark.parametrize("there", [True, False])
def test_a_log_without_read_and_write_permission_is_refused(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "closed" / "log.db"
    path.parent.mkdir()
    if there:
        Log.open(SETTINGS, path).close()
        path.chmod(0o400)
    path.parent.chmod(0o500)

    with (
        unprivileged(),
        pytest.raises(LogError, match="Permission denied; check that this user may"),
    ):
        Log.open(SETTINGS, path)


# -- damage that shows later ----------------------------------------------------------------------
def test_a_log_whose_writer_was_killed_is_not_taken_for_truncated(
    open_sqlite: OpenLog, log_path: Path, tmp_path: Path
) -> None:
    log = open_sqlite()
    for version in range(20):
        append(log, "a", version, "x" * 2000)
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(Path(f"{log_path}{suffix}").read_bytes())

    survivor = Log.open(SETTINGS, copy)

    assert len(survivor.read("a")) == 20
    survivor.close()


def test_a_damaged_page_is_a_log_error_that_names_the_file(
    open_sqlite: OpenLog, log_path: Path
) -> None:
    log = open_sqlite()
    append(log, "a", 0, *("x" * 500 for _ in range(100)))
    log.close()
    whole = log_path.read_bytes()
    log_path.write_bytes(whole[:8192] + b"\x5a" * (len(whole) - 8192))

    with pytest.raises(LogError, match=rf"log\.path {log_path}: .*malformed"):
        open_sqlite().read("a")


def test_a_lock_that_is_never_released_is_a_log_error_after_the_timeout(
    open_sqlite: OpenLog, log_path: Path
) -> None:
    log = open_sqlite(lock_timeout_s=1)
    with closing(sqlite3.connect(log_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LogError, match=r"locked: .*log\.lock_timeout_s.*nothing was recorded"):
            append(log, "a", 0, "x")
        assert log.read("a") == []

    assert append(log, "a", 0, "x")[0].position == 1


@pytest.mark.parametrize("rows", [1, 3, 5, 255, 256, 257, 341, 700])
def test_the_rows_of_a_transaction_have_the_returned_positions(
    rows: int, open_sqlite: OpenLog, log_path: Path
) -> None:
    log = open_sqlite()
    append(log, "before", 0, "x")

    written = append(log, "a", 0, *map(str, range(rows)))

    with closing(sqlite3.connect(log_path)) as connection:
        statement = "SELECT rowid FROM stored_events WHERE originator_id='a' ORDER BY rowid"
        positions = [row[0] for row in connection.execute(statement)]
    assert [r.position for r in written] == positions == list(range(2, rows + 2))
    assert ids(written) == [str(i) for i in range(rows)]
