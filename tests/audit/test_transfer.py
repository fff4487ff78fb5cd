"""A log that is exported and imported again is the same log; a damaged export imports nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from share_actors.audit.reading.reader import open_reader
from share_actors.audit.statistics import statistics
from share_actors.audit.transfer.export import export
from share_actors.audit.transfer.import_log import import_log
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest, LogError
from share_actors.events.event_filter import event_filter
from share_actors.events.log import Log
from tests.audit.conftest import HOME, write
from tests.audit.test_reader import KEY

Lines = list[bytes]


def exported(where: str | Path, settings: LogSettings | None = None, **filters: object) -> Lines:
    file = io.StringIO()
    with open_reader(where, settings) as reader:
        export(reader, file, event_filter(**filters))
    return file.getvalue().encode().splitlines(keepends=True)


def test_an_imported_log_has_the_same_rows(where: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    imported = import_log(exported(where), LogSettings(), copy)

    with open_reader(where) as first, open_reader(copy) as second:
        assert list(first.rows()) == list(second.rows())
        assert (imported.events, imported.head) == (15, 15)


def test_a_log_is_imported_into_postgresql_and_goes_on_from_its_last_position(
    log_path: Path, postgres_settings: LogSettings
) -> None:
    import_log(exported(log_path), postgres_settings, Path())

    with closing(Log.open(postgres_settings, Path())) as log:
        write(log, "share-s3", HOME[:1])
        rows = log.notifications(0, 100)

    with open_reader(log_path) as reader:
        assert list(reader.rows()) == list(rows)[:15]
    assert [row.position for row in rows] == list(range(1, 17))


def test_an_imported_log_goes_on(log_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    import_log(exported(log_path), LogSettings(), copy)

    with closing(Log.open(LogSettings(), copy)) as log:
        write(log, "share-s1", [(99, HOME[3][1], "c-again")])

        assert [recorded.version for recorded in log.read("share-s1")][-1] == len(HOME) + 1
        assert log.head() == 16


def test_positions_that_are_missing_in_the_log_stay_missing(log_path: Path, tmp_path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(log_path, isolation_level=None)) as connection:
        connection.execute("UPDATE stored_events SET rowid = rowid + 100 WHERE rowid > 9")

    import_log(exported(log_path), LogSettings(), tmp_path / "copy.db")

    with open_reader(tmp_path / "copy.db") as reader:
        assert [row.position for row in reader.rows()] == [*range(1, 10), *range(110, 116)]


@pytest.mark.parametrize("compress", [True, "dictionary"])
def test_an_encrypted_log_is_exported_in_plain_and_encrypted_again(
    tmp_path: Path, compress: Any
) -> None:
    settings = LogSettings(cipher_key=KEY, compress=compress)
    with closing(Log.open(settings, tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME)
    lines = exported(tmp_path / "log.db", settings)

    import_log(lines, settings, tmp_path / "copy.db")

    assert b'"user_id":"alice"' in lines[1]
    assert b"alice" not in (tmp_path / "copy.db").read_bytes()
    assert exported(tmp_path / "copy.db", settings) == lines


# -- damaged exports -----------------------------------------------------------------------------
def changed(line: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        assert old in lines[line]
        return [*lines[:line], lines[line].replace(old, new, 1), *lines[line + 1 :]]

    return change


DAMAGE: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "half a line": (lambda all_: [*all_[:7], all_[7][:50]], "line 8 has no end"),
    "no last line": (lambda all_: all_[:-1], "line 16 is the last one, .* after 15 events"),
    "no line at all": (lambda all_: all_[:0], "line 1 is not a JSON object"),
    "no export": (lambda _: [b'{"a": 1}\n'], "line 1 is not the beginning of an export"),
    "a changed record": (changed(4, b"10.0.0.0/8", b"10.0.0.0/7"), "line 5 was changed"),
    "a changed column": (changed(4, b"share-s1", b"share-s9"), "line 17 says that"),
    "a removed line": (lambda all_: [*all_[:4], *all_[5:]], "line 16 says that"),
    "a repeated line": (lambda all_: [*all_[:4], *all_[3:]], "line 5 has position 3, after"),
    "two lines exchanged": (
        lambda all_: [*all_[:4], all_[5], all_[4], *all_[6:]],
        "line 6 has position 4, after position 5",
    ),
    "two files joined": (lambda all_: all_ * 2, "two files were joined"),
    "a line that is no JSON": (lambda all_: [*all_[:3], b"oops\n", *all_[3:]], "line 4"),
    "a later format": (
        changed(0, b'"format_version": 1', b'"format_version": 2'),
        "line 1 has format_version 2",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_export_is_refused_with_the_line_and_nothing_is_imported(
    log_path: Path, tmp_path: Path, damage: str
) -> None:
    change, message = DAMAGE[damage]
    copy = tmp_path / "copy.db"

    with pytest.raises(InvalidRequest, match=f"{message}.*nothing was imported"):
        import_log(change(exported(log_path)), LogSettings(), copy)

    if copy.exists():
        with open_reader(copy) as reader:
            assert reader.head() == 0


def test_a_part_of_a_log_is_not_imported(log_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="export without filters"):
        import_log(exported(log_path, user="bob"), LogSettings(), tmp_path / "copy.db")


def test_a_log_that_has_events_is_not_imported_into(log_path: Path) -> None:
    with pytest.raises(LogError, match=r"holds 15 events already.*nothing was imported"):
        import_log(exported(log_path), LogSettings(), log_path)


def test_a_stream_with_a_gap_is_not_imported(log_path: Path, tmp_path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(log_path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM stored_events WHERE rowid = 5")

    with pytest.raises(InvalidRequest, match="share-s1 has a gap in its versions"):
        import_log(exported(log_path), LogSettings(), tmp_path / "copy.db")


# -- tables and figures --------------------------------------------------------------------------
def test_a_table_has_a_sentence_an_event_and_no_formulas(tmp_path: Path) -> None:
    with closing(Log.open(LogSettings(), tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME, user='=HYPERLINK("x")')
    file = io.StringIO()
    with open_reader(tmp_path / "log.db") as reader:
        export(reader, file, form="csv")

    first, *_, last = csv.DictReader(io.StringIO(file.getvalue()))

    assert first["user"] == '\'=HYPERLINK("x")'
    assert first["sentence"].startswith("'=HYPERLINK")
    assert (last["position"], last["topic"]) == ("9", "access.rules_applied")


def test_statistics_count_events_by_kind_by_day_and_by_stream(where: str) -> None:
    reports: list[tuple[int, int]] = []
    with open_reader(where) as reader:
        found = statistics(reader, 1, lambda done, total: reports.append((done, total)))

    assert (found.events, found.head, found.unreadable) == (15, 15, 0)
    assert found.by_kind["access.rules_applied"] == 3
    assert [(str(day.day), day.events) for day in found.by_day] == [("2026-03-01", 15)]
    assert [(large.stream, large.events) for large in found.largest_streams] == [("share-s1", 9)]
    assert found.file_bytes > 0
    assert reports[-1] == (15, 15)
