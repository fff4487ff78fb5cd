"""The file of a log gets smaller when its events are archived."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.audit.archives import shrinking
from share_actors.audit.archives.shrinking import shrink
from tests.golden.released_logs import RELEASES, log_of
from tests.retention.conftest import Site


@pytest.fixture
def emptied(tmp_path: Path) -> Path:
    """A log from which most of the rows were removed."""
    site = Site(tmp_path)
    with site.log():
        pass
    fill(site.config.log_path)
    return site.config.log_path


def fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = [(f"share-s{n}", 1, "t", os.urandom(2_000)) for n in range(6_000)]
        connection.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM stored_events WHERE rowid > 10 AND rowid < 5990")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT rowid, * FROM stored_events ORDER BY rowid").fetchall()


def test_the_space_of_removed_rows_is_given_back_and_positions_stay(emptied: Path) -> None:
    before, size = rows(emptied), emptied.stat().st_size
    reported: list[tuple[int, int]] = []
    freed = shrink(emptied, lambda done, total: reported.append((done, total)))
    assert freed == size - emptied.stat().st_size
    assert emptied.stat().st_size < size / 10
    assert rows(emptied) == before
    assert reported[-1][0] == reported[-1][1]


def test_a_kill_amid_it_leaves_a_whole_log_and_repeating_goes_on(
    emptied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "STEP_PAGES", 100)
    before, size = rows(emptied), emptied.stat().st_size
    if (child := os.fork()) == 0:
        shrink(
            emptied, lambda done, _: os.kill(os.getpid(), signal.SIGKILL) if done > 500 else None
        )
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert rows(emptied) == before
    shrink(emptied)
    assert emptied.stat().st_size < size / 10
    assert rows(emptied) == before


def test_a_file_of_an_earlier_version_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copyfile(log_of(RELEASES[-1]), path)
    content = path.read_bytes()
    assert shrink(path) is None
    assert path.read_bytes() == content
