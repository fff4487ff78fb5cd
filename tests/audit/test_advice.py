"""What is said about a log that `--log` names: what is wrong with it, and advice that fits a copy."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.events.log import Log
from tests.audit.conftest import HOME, write
from tests.command_tree import invoke

KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
AT, END = "2026-03-01T12:00:20Z", "2100-01-01T00:00:00Z"
COMMANDS = {
    "tail": (),
    "show": ("1",),
    "history": ("home",),
    "state": ("home", "--at", AT),
    "list": ("--at", AT),
    "diff": ("--from", AT, "--to", END),
    "access": ("home", "--at", AT),
    "reach": ("10.0.0.7", "--from", AT, "--to", END),
    "exposure": ("home",),
    "export": (),
    "stats": (),
    "index": (),
    "verify": (),
}
ONLY_FOR_A_SYSTEM = (
    "share-actors up",
    "start the system",
    "config show",
    "config check",
    "status`",
    "share list",
    "share show",
    "a new one",
    "log.path",
    "log.host",
    "repeat the request",
    "Nothing was recorded",
)


def said(command: str, log: str, *words: str, code: int = 12) -> str:
    result = invoke(["log", command, *(words or COMMANDS[command]), "--log", log])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def check(text: str) -> None:
    assert [advice for advice in ONLY_FOR_A_SYSTEM if advice in text] == []


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE stored_events (a)")


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "the file does not exist; correct the name"),
    "directory": (directory, "is a directory; name the file in it"),
    "empty": (
        lambda path: path.write_bytes(b""),
        "is empty, so it was truncated; copy the log again",
    ),
    "text": (
        lambda path: path.write_text("no log " * 20),
        "is not a database; name the file of a log",
    ),
    "cut off": (cut_off, "is truncated: shorter than the size in its header; copy the log again"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_no_log_is_named_with_advice_for_a_copy(
    log_path: Path, command: str, bad: str
) -> None:
    spoil, expected = BAD[bad]
    spoil(log_path)

    text = said(command, str(log_path))

    assert f"{log_path}: {expected}" in text
    check(text)


def test_other_databases_and_damaged_archives_are_named_too(tmp_path: Path) -> None:
    other, archive = tmp_path / "other.db", tmp_path / "old.gz"
    other_database(other)
    archive.write_bytes(gzip.compress(b"{}\n"))

    for path, expected in ((other, "another application"), (archive, "as an archive of a log")):
        text = said("history", str(path))
        assert expected in text
        assert str(path) in text
        check(text)


@pytest.mark.parametrize(
    "command", ["tail", "history", "list", "access", "export", "stats", "verify"]
)
def test_a_database_that_cannot_be_reached_is_named_by_its_url(
    tmp_path: Path, command: str
) -> None:
    text = said(command, f"postgresql://auditor:secret@/site?host={tmp_path}&schema=old")

    assert f"postgresql://auditor@/site?host={tmp_path}&schema=old" in text
    assert "then repeat the command" in text
    assert "secret" not in text
    check(text)


def test_a_schema_without_a_log_is_named_by_its_url(postgres_url: str) -> None:
    text = said("verify", postgres_url.replace("schema=", "schema=not_"))

    assert "there is no log: correct the database or the schema" in text
    check(text)


def test_a_url_that_is_none_is_refused_with_its_form() -> None:
    for command in ("history", "verify"):
        text = said(command, "mysql://a@b/c", code=4)
        assert "is not postgresql://USER@HOST/DATABASE?schema=NAME" in text
        check(text)


def test_a_log_of_another_key_says_where_the_key_is_from(tmp_path: Path) -> None:
    with closing(Log.open(LogSettings(cipher_key=KEY), tmp_path / "log.db")) as log:
        write(log, "share-s1", HOME)

    text = said("history", str(tmp_path / "log.db"), "s1")

    assert "check that log.cipher_key is the key" in text
    assert "the file of --config has its keys" in text
    check(text)


def test_a_command_in_the_advice_reads_the_same_log(log_path: Path) -> None:
    odd = log_path.with_name("a {copy}.db")
    shutil.copy(log_path, odd)

    for command, word in (("history", "nowhere"), ("show", "99")):
        text = said(command, str(odd), word, code=5)
        assert f"--log '{odd}'`" in text
        check(text)


def test_a_wrong_position_or_time_is_named_with_the_option(log_path: Path) -> None:
    text = said("tail", str(log_path), "--after", "99", code=3)
    assert "--after: 99 is beyond the last position, 15" in text
    text = said("list", str(log_path), "--at", "2026-03-01T12:00:20", code=3)
    assert "zone" in text
    assert "at: '2026-03-01T12:00:20'" in text


@pytest.mark.parametrize("command", ["history", "verify"])
def test_a_missing_package_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "share_actors.audit.reading.reader_postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    text = said(command, "postgresql://auditor@host/site", code=4)

    assert "pip install share-actors[postgresql]" in text
    check(text)
