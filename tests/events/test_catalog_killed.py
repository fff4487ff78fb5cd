"""A catalog that is killed amid catching up goes on where it was, also in a new layout beside an old file."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import story_log
from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log
from tests.events.test_catalog_file import edit

SHARES = 60
FOLLOW = """
import sys
from pathlib import Path
from share_actors.config import LogSettings
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log

catalog = Catalog.open(Log.open(LogSettings(), Path(sys.argv[1])), LogSettings(), Path(sys.argv[2]))
while True:
    catalog.catch_up(20) or sys.exit("it was not killed")
    print(catalog.position(), flush=True)
"""


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    story_log.write(tmp_path / "log.db", SHARES)
    return tmp_path / "log.db"


def kill_amid(log_path: Path, path: Path, applied: int) -> None:
    """Let a process catch up, and end it by `kill -9` once it has applied that many events."""
    command = [sys.executable, "-c", FOLLOW, str(log_path), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            while int(process.stdout.readline()) < applied:
                pass
        finally:
            process.kill()


def opened(log_path: Path, path: Path) -> Catalog:
    return Catalog.open(Log.open(LogSettings(), log_path), LogSettings(), path)


def content(catalog: Catalog) -> tuple[object, ...]:
    return catalog.shares(), catalog.rules(), catalog.count_shares(), catalog.room()


def test_a_killed_catalog_goes_on_where_it_was(log_path: Path, tmp_path: Path) -> None:
    kill_amid(log_path, tmp_path / "catalog.db", applied=200)

    with closing(opened(log_path, tmp_path / "catalog.db")) as catalog:
        assert catalog.position() >= 200
        catalog.catch_up()
        with closing(opened(log_path, tmp_path / "other.db")) as other:
            assert content(catalog) == content(other)


def test_a_new_layout_is_built_beside_the_old_file_which_it_replaces_once_it_is_whole(
    log_path: Path, tmp_path: Path
) -> None:
    path, beside = tmp_path / "catalog.db", tmp_path / "catalog.db.next"
    with closing(opened(log_path, path)) as older:
        older.catch_up()
        before = content(older)
    edit(path, "UPDATE catalog_layout SET layout = 'old'")
    old_bytes = path.read_bytes()
    kill_amid(log_path, path, applied=200)

    with closing(opened(log_path, path)) as catalog:
        assert catalog.position() >= 200
        assert (beside.exists(), path.read_bytes()) == (True, old_bytes)
        catalog.catch_up()
        assert not list(tmp_path.glob("catalog.db.next*"))
        assert content(catalog) == before
    with closing(opened(log_path, path)) as again:
        assert again.lag() == 0


def test_a_file_in_use_is_not_moved_and_serves_where_it_is(log_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with closing(opened(log_path, path)) as older:
        older.catch_up()
    edit(path, "UPDATE catalog_layout SET layout = 'old'")

    with closing(opened(log_path, path)) as catalog, closing(opened(log_path, path)) as other:
        other.catch_up()
        catalog.catch_up()
        assert content(catalog) == content(other)
    with closing(opened(log_path, path)) as again:
        again.catch_up()
        assert not list(tmp_path.glob("catalog.db.next*"))


def test_a_file_that_stays_in_use_is_told_once_however_many_queries_there_are(
    log_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "catalog.db"
    with closing(opened(log_path, path)) as older:
        older.catch_up()
    edit(path, "UPDATE catalog_layout SET layout = 'old'")

    with closing(opened(log_path, path)) as catalog, closing(opened(log_path, path)) as other:
        other.position()
        for _ in range(20):
            catalog.catch_up()

    assert [record.message.count("cannot take its place yet") for record in caplog.records] == [1]


def test_old_rows_in_a_file_that_is_not_replaced_yet_are_not_said_to_be_removed(
    log_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.db"
    with closing(opened(log_path, path)) as older:
        older.catch_up()
    edit(path, "UPDATE catalog_layout SET layout = 'old'")

    with closing(opened(log_path, path)) as catalog:
        with closing(opened(log_path, path)) as other:
            other.position()
            catalog.rebuild()
            with pytest.raises(LogError, match="still has old rows"):
                catalog.compact()
        catalog.compact()
        assert not list(tmp_path.glob("catalog.db.next*"))
