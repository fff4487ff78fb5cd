"""Events of deleted shares move to a file; the log, its proofs and its checkpoints stay what they were."""

from __future__ import annotations

import gzip
import json
import sqlite3
from base64 import b64decode
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from share_actors.audit.archives import archive
from share_actors.events.archives import STREAM
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.values import OPERATOR
from tests.audit.conftest import HOME, write
from tests.retention.archives import AT, archived, leaves, report
from tests.retention.conftest import Site


def test_events_of_deleted_shares_move_to_a_file_and_leave_their_leaves(either: Site) -> None:
    before = leaves(either)

    done = archived(either)

    assert (done.events, done.streams, done.removed) == (6, 1, 6)
    assert leaves(either)[:15] == before
    gone = [row.stream for row in either.rows() if isinstance(row, ArchivedRow)]
    assert gone == ["share-s2"] * 6
    assert either.rows()[-1].stream == STREAM


def test_every_proof_still_holds(either: Site) -> None:
    either.run("log", "checkpoint")
    old = either.path / "old-checkpoint"
    old.write_bytes((either.audit / "checkpoint").read_bytes())

    archived(either)

    found = either.json("log", "verify")
    assert (found["ok"], found["covered"], found["uncovered"]) == (True, 16, 0)
    assert "6 archived events, which are in old.gz" in found["not_verified"][0]
    assert either.json("log", "prove", "1")["kind"] == "inclusion"
    assert either.json("log", "prove", "--from", str(old))["kind"] == "consistency"
    assert "was archived" in either.run("log", "prove", "10", code=7)


def test_a_new_directory_of_checkpoints_gets_the_same_tree(site: Site) -> None:
    archived(site)
    note = (site.audit / "checkpoint").read_text().splitlines()
    site.audit.rename(site.path / "lost")

    site.run("log", "checkpoint")

    assert (site.audit / "checkpoint").read_text().splitlines()[:3] == note[:3]


def test_the_log_goes_on_after_the_last_position(either: Site) -> None:
    archived(either)

    with either.log() as log:
        head = log.head()
        write(log, "share-s3", HOME)
        assert log.head() == head + len(HOME)
        assert log.read("share-s2") == []
    assert report(either).ok


def test_nothing_is_archived_that_is_young_or_is_there(site: Site) -> None:
    done = archive(site.config, datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC), site.file, OPERATOR)

    assert (done.events, site.file.exists()) == (0, False)
    assert not any(isinstance(row, ArchivedRow) for row in site.rows())


def stored(file: Path) -> bytes:
    """The states of the events in the archive *file*, as they are stored, one after the other."""
    lines = gzip.decompress(file.read_bytes()).splitlines()[1:]
    return b"".join(b64decode(json.loads(line).get("state", "")) for line in lines)


def test_an_archive_has_the_events_as_the_log_stored_them(site: Site) -> None:
    archived(site)

    assert b'"user_id":"bob"' in stored(site.file)


def test_an_encrypted_log_has_an_encrypted_archive(tmp_path: Path) -> None:
    from share_actors.config import LogSettings
    from tests.audit.conftest import write_story
    from tests.audit.test_reader import KEY

    site = Site(tmp_path, LogSettings(cipher_key=KEY))
    with site.log() as log:
        write_story(log)
    archived(site)

    assert b'"user_id":"bob"' not in stored(site.file)
    assert report(site).ok


# -- the file is read like a log -------------------------------------------------------------------
def test_an_archive_is_read_by_the_commands_of_a_log(site: Site) -> None:
    archived(site)
    where = ("--log", str(site.file))

    assert "bob" in site.run("log", "history", "s2", *where)
    assert site.json("log", "show", "10", *where)["stream"] == "share-s2"
    at = ("--at", AT)
    assert site.json("log", "state", "scratch", *at, *where)["view"]["id"] == "s2"
    assert len(site.run("log", "export", *where).splitlines()) == 6 + 2
    assert site.json("log", "stats", *where)["events"] == 6
    assert "s2" in site.run("log", "list", *at, *where)


def test_an_archive_is_verified_alone(site: Site) -> None:
    archived(site)

    found = site.json("log", "verify", "--log", str(site.file))
    assert (found["ok"], found["events"], found["streams"], found["own_key"]) == (True, 6, 1, True)
    (site.path / "checkpoint.key").unlink()
    assert not site.json("log", "verify", "--log", str(site.file))["own_key"]
    key = ("--key", str(site.audit / "public.key"))
    assert site.json("log", "verify", "--log", str(site.file), *key)["own_key"]


def test_what_was_archived_is_said_where_it_was(site: Site) -> None:
    archived(site)

    assert "old.gz" in site.run("log", "show", "12", code=5)
    assert "old.gz" in site.run("log", "history", "s2", code=5)
    assert "old.gz" in site.run("log", "tail", "-n", "1")
    assert "Not included: 1 stream deleted before" in site.run("log", "list", "--at", AT)
    assert "old.gz" in site.run("log", "diff", "--from", AT, "--to", AT)


def edit(site: Site, *statements: str) -> None:
    with closing(sqlite3.connect(site.config.log_path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "command", [("list", "--at", AT), ("diff", "--from", "2020-01-01T00:00:00Z", "--to", AT)]
)
def test_json_says_first_what_an_answer_does_not_include(
    site: Site, command: tuple[str, ...]
) -> None:
    done = archived(site)
    first, *_ = site.run("log", *command, "--json").splitlines()
    [left_out] = json.loads(first)["not_included"]
    assert (left_out["file"], left_out["file_sha256"]) == (site.file.name, done.file_sha256)


def test_the_stream_of_an_archived_share_may_begin_again(site: Site) -> None:
    archived(site)
    with site.log() as log:
        write(log, "share-s2", HOME)

    assert report(site).ok


# -- the command -----------------------------------------------------------------------------------
def test_the_command_says_what_it_would_do_and_what_it_did(site: Site) -> None:
    plan = site.json("log", "archive", "--older-than", "1h", "--dry-run")
    assert (plan["events"], plan["streams"]) == (6, {"share-s2": 6})
    assert "would be archived" in site.run("log", "archive", "--older-than", "1h", "--dry-run")
    assert not site.audit.exists()

    text = site.run("log", "archive", "--older-than", "1h", "--to", str(site.file))

    assert "6 events were removed from the log; its position 16 says so." in text
    again = site.run("log", "archive", "--older-than", "1h", "--to", str(site.file))
    assert "removed from the log before" in again
    none = site.run("log", "archive", "--older-than", "1h", "--to", str(site.path / "none.gz"))
    assert "Nothing is old enough" in none


@pytest.mark.parametrize(
    ("age", "problem"),
    [
        ("", "not a time"),
        ("5", "not a time"),
        ("-1d", "not a time"),
        ("2026-01-01", "no time zone"),
        ("2999-01-01T00:00:00Z", "in the future"),
        ("999999w", "before the year 1"),
    ],
)
def test_a_wrong_age_is_refused(site: Site, age: str, problem: str) -> None:
    text = site.run("log", "archive", "--older-than", age, "--to", str(site.file), code=3)
    assert problem in " ".join(text.split())
    assert "--to" in site.run("log", "archive", "--older-than", "1d", code=3)


@pytest.mark.parametrize("name", ["x" * 300, "none/old.gz"])
def test_a_file_that_cannot_be_written_changes_nothing(site: Site, name: str) -> None:
    to = ("--to", str(site.path / name))
    text = " ".join(site.run("log", "archive", "--older-than", "1d", *to, code=12).split())
    assert "cannot be written" in text
    assert len(site.rows()) == 15
