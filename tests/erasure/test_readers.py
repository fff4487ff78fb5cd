"""A log with sealed texts, read without a system: filters, exports, imports, past states, and copies."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from share_actors.audit.queries import find_stream, matching
from share_actors.audit.reading.reader import LogReader, open_configured_reader, open_reader
from share_actors.audit.time_travel import shares_at
from share_actors.audit.transfer.export import export
from share_actors.audit.transfer.import_log import import_log
from share_actors.config import LogSettings
from share_actors.events.event_filter import event_filter, point_in_time
from tests.audit.conftest import HOME, SCRATCH, write
from tests.erasure.conftest import Site


@pytest.fixture
def told(site: Site) -> Site:
    write(site.log, "share-s1", HOME, user="alice", project="demo")
    write(site.log, "share-s2", SCRATCH, user="bob", project="web")
    return site


def lines(reader: LogReader, form: str = "jsonl", **filters: object) -> bytes:
    file = io.StringIO()
    export(reader, file, event_filter(**filters), form)  # type: ignore[arg-type]
    return file.getvalue().encode()


def test_events_are_found_by_their_sealed_user_and_share_name(told: Site) -> None:
    with open_configured_reader(told.config) as reader:
        assert len(list(matching(reader, event_filter(user="alice")))) == len(HOME)
        assert find_stream(reader, "home") == "share-s1"


def test_a_past_state_has_its_texts_until_they_are_erased(told: Site) -> None:
    at = point_in_time("at", "2026-03-01T12:00:26Z")
    with open_configured_reader(told.config) as reader:
        names = [share.name for share in shares_at(reader, at)]
    assert names == ["home", "scratch"]
    told.forget("user:alice")
    with open_configured_reader(told.config) as reader:
        erased, kept = (share for share in shares_at(reader, at))
    assert (erased.id, erased.size, kept.name) == ("s1", 3, erased.name)


def test_an_export_stays_sealed_and_a_table_does_not(told: Site) -> None:
    with open_configured_reader(told.config) as reader:
        assert b"alice" not in lines(reader)
        assert b"alice" in lines(reader, "csv")
    told.forget("user:alice")
    with open_configured_reader(told.config) as reader:
        assert b"alice" not in lines(reader, "csv")


def test_an_export_is_imported_without_keys_and_read_with_them(told: Site, tmp_path: Path) -> None:
    with open_configured_reader(told.config) as reader:
        exported = lines(reader).splitlines(keepends=True)
    copy = tmp_path / "copy" / "log.db"
    import_log(exported, LogSettings(), copy)
    with open_reader(copy) as reader:
        assert {r.envelope.user_id[:7] for r in map(reader.decode, reader.rows())} == {"no-key-"}
    shutil.copytree(told.config.subject_keys_path, copy.with_name("subjects"))
    with open_reader(copy) as reader:
        assert {r.envelope.user_id for r in map(reader.decode, reader.rows())} == {"alice", "bob"}


def test_a_restored_backup_without_the_destroyed_key_shows_it_as_erased(
    told: Site, tmp_path: Path
) -> None:
    told.close()
    backup = Path(shutil.copy(told.config.log_path, tmp_path / "backup.db"))
    told.log = told.open()
    told.forget("user:alice")
    told.close()
    shutil.copy(backup, told.config.log_path)
    log = told.open()
    assert log.read("share-s1")[0].envelope.user_id.startswith("erased-")
    assert log.read("share-s2")[0].envelope.user_id == "bob"
