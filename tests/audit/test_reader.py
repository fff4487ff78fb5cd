"""Reading a stored log without a system: nothing is written, and bad files are refused by name."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.audit.reading.reader import open_reader
from share_actors.config import LogSettings
from share_actors.errors import ConfigError, LogError
from share_actors.events.log import Log
from tests.audit.conftest import HOME, SCRATCH, write, write_story

KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="


def state_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_all_rows_come_in_the_order_of_the_log(where: str) -> None:
    with open_reader(where) as reader:
        rows = list(reader.rows())

        assert [row.position for row in rows] == list(range(1, 16))
        assert [row.stream for row in rows] == ["share-s1"] * len(HOME) + ["share-s2"] * len(
            SCRATCH
        )
        assert reader.head() == 15


def test_reading_begins_after_a_position_and_ends_at_another(where: str) -> None:
    with open_reader(where) as reader:
        assert [row.position for row in reader.rows(3, 6)] == [4, 5, 6]


def test_a_batch_that_is_smaller_than_the_log_leaves_nothing_out(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("share_actors.audit.reading.reader.BATCH_SIZE", 2)
    with open_reader(where) as reader:
        assert len(list(reader.rows())) == 15
        assert len(list(reader.stream("share-s1"))) == len(HOME)
        assert [row.stream for row in reader.rows_by_stream("share-")] == [
            row.stream for row in reader.rows()
        ]


def test_reading_a_closed_log_leaves_its_directory_as_it_was(log_path: Path) -> None:
    before = state_of(log_path.parent)

    with open_reader(log_path) as reader:
        assert len(list(reader.rows())) == 15
        assert state_of(log_path.parent) == before

    assert state_of(log_path.parent) == before


def test_events_in_a_copied_write_ahead_log_are_read_and_the_copy_is_unchanged(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(Log.open(LogSettings(), tmp_path / "log.db")) as log:
        write_story(log)
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"log.db{suffix}", copy / f"log.db{suffix}")
    before = state_of(copy)

    with open_reader(copy / "log.db") as reader:
        assert reader.head() == 15

    assert state_of(copy) == before


def test_a_log_in_use_is_read_while_it_grows(tmp_path: Path) -> None:
    with closing(Log.open(LogSettings(), tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME)
        with open_reader(tmp_path / "log.db") as reader:
            assert reader.head() == len(HOME)
            write(log, "share-s2", SCRATCH)

            assert reader.head() == 15


def test_a_reader_of_a_closed_log_sees_what_a_system_writes_that_starts_later(
    log_path: Path,
) -> None:
    with open_reader(log_path) as reader:
        assert reader.head() == 15
        with closing(Log.open(LogSettings(), log_path)) as log:
            write(log, "share-s3", HOME[:1])

            assert reader.head() == 16


def test_the_connection_cannot_write(log_path: Path) -> None:
    with open_reader(log_path) as reader:
        connection = reader._source._connection  # type: ignore[attr-defined]

        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM stored_events")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"no database at all", "is not a database"), (None, "does not exist")],
)
def test_a_file_that_is_no_log_is_refused(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "odd.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(LogError, match=problem) as error:
        open_reader(path)

    assert error.value.value == str(path)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE stored_events (a)")

    with pytest.raises(LogError, match="another application"):
        open_reader(tmp_path / "other.db")


def test_an_encrypted_log_needs_its_key(tmp_path: Path) -> None:
    settings = LogSettings(cipher_key=KEY)
    with closing(Log.open(settings, tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME)

    with open_reader(tmp_path / "log.db", settings) as reader:
        assert len(list(reader.stream("share-s1"))) == len(HOME)
    with (
        open_reader(tmp_path / "log.db") as reader,
        pytest.raises(LogError, match=r"share-s1 version 1: .*log\.cipher_key"),
    ):
        reader.plain(next(reader.rows()))


def test_a_schema_without_a_log_is_refused(postgres_url: str) -> None:
    with pytest.raises(LogError, match="there is no log"):
        open_reader(postgres_url.replace("schema=", "schema=not_"))


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "postgresql://a@b/c?mode=rw", "postgresql://a:b:c"]
)
def test_a_url_that_is_no_postgresql_log_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="postgresql://USER@HOST/DATABASE"):
        open_reader(url)


def test_a_reader_imports_no_ray(log_path: Path) -> None:
    program = (
        "import sys; from share_actors.audit.reading.reader import open_reader;"
        f"print(open_reader({str(log_path)!r}).head()); assert 'ray' not in sys.modules"
    )

    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )

    assert (result.stdout.strip(), result.returncode) == ("15", 0), result.stderr
