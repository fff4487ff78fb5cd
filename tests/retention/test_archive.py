"""Events of deleted shares move to a file; the log, its proofs and its checkpoints stay what they were."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from share_actors.audit.archives import archive
from share_actors.audit.archives.run import Archived
from share_actors.audit.proofs import Report, verify
from share_actors.cli.exit_codes import DIFFERS
from share_actors.errors import ConfigError, LogError
from share_actors.events.archives import STREAM
from share_actors.events.catalog import Catalog
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.infrastructure import codec_of
from share_actors.events.log.lease.leased_log import open_leased
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import OPERATOR
from tests.audit.conftest import HOME, write
from tests.events.test_lease import ONE
from tests.retention.conftest import Site

AT = "2026-03-01T12:00:40Z"
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def archived(site: Site, *, keep: bool = False) -> Archived:
    return archive(site.config, NOW, site.file, OPERATOR, keep=keep)


def leaves(site: Site) -> list[Leaf]:
    return [Leaf.of(row) for row in site.rows()]


def report(site: Site) -> Report:
    codec = codec_of(site.config.log)
    return verify(
        site.rows(),
        contiguous=site.config.log.kind == "sqlite",
        decode=lambda row: codec.decode_row(*row[1:], row.position),
    )


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


def test_an_encrypted_log_has_an_encrypted_archive(tmp_path: Path) -> None:
    from share_actors.config import LogSettings
    from tests.audit.conftest import write_story
    from tests.audit.test_reader import KEY

    site = Site(tmp_path, LogSettings(cipher_key=KEY))
    with site.log() as log:
        write_story(log)
    archived(site)

    assert b"bob" not in gzip.decompress(site.file.read_bytes())
    assert report(site).ok


# -- the file is read like a log -----------------------------------------------------------------
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


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: content[:-30], "cut off|damaged"),
        (lambda content: content[:40] + b"\0\0\0\0" + content[44:], "damaged|cut off"),
        (lambda content: gzip.compress(b"{}\n"), "not an archive"),
        (lambda content: gzip.compress(b"[1]\n"), "damaged after line 0"),
    ],
)
def test_a_damaged_archive_is_named(site: Site, damage: object, problem: str) -> None:
    archived(site)
    assert callable(damage)
    site.file.write_bytes(damage(site.file.read_bytes()))

    found = site.json("log", "verify", "--log", str(site.file), code=DIFFERS)

    assert re.search(problem, found["problem"])
    site.run("log", "history", "s2", "--log", str(site.file), code=12)


@pytest.mark.parametrize("field", ["state", "topic", "position", "index", "version", "stream"])
def test_an_archive_with_a_changed_event_proves_nothing(site: Site, field: str) -> None:
    archived(site)
    lines = gzip.decompress(site.file.read_bytes()).splitlines()
    event = json.loads(lines[3])
    change = {"state": "e30=", "topic": "share.created", "stream": "share-s9"}
    event[field] = change.get(field, 1) if field in change else event[field] + 1
    lines[3] = json.dumps(event).encode()
    site.file.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))

    site.run("log", "verify", "--log", str(site.file), code=DIFFERS)


# -- what is missing without a record ------------------------------------------------------------
def edit(site: Site, *statements: str) -> None:
    with closing(sqlite3.connect(site.config.log_path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_row_that_is_missing_without_an_archive_is_still_found(site: Site) -> None:
    archived(site)
    edit(site, "DELETE FROM stored_events WHERE rowid = 3")

    found = site.json("log", "verify", code=DIFFERS)
    assert found["findings"][0]["kind"] == "removed"
    assert found["findings"][0]["position"] == 3
    assert {f.kind for f in report(site).findings} == {"version_gap", "position_gap"}


def test_a_leaf_without_a_record_of_its_archive_is_found(site: Site) -> None:
    archived(site)
    edit(
        site,
        "INSERT INTO archived_events SELECT rowid, originator_id, originator_version, topic, 'x', 16"
        " FROM stored_events WHERE rowid = 9",
        "DELETE FROM stored_events WHERE rowid = 9",
    )

    [finding] = [f for f in report(site).findings if f.kind == "not_archived"]
    assert "they are not the 6 that are archived in old.gz" in finding.text
    kinds = {finding["kind"] for finding in site.json("log", "verify", code=DIFFERS)["findings"]}
    assert kinds == {"edited", "not_archived"}


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


def test_a_removed_record_and_removed_leaves_are_found(site: Site) -> None:
    archived(site)
    edit(site, "UPDATE archived_events SET archive = 3")
    assert "no archive is recorded at position 3" in report(site).findings[0].text

    edit(site, "DELETE FROM archived_events WHERE position = 12")
    kinds = {finding["kind"] for finding in site.json("log", "verify", code=DIFFERS)["findings"]}
    assert {"removed", "not_archived"} <= kinds


def test_the_stream_of_an_archived_share_may_begin_again(site: Site) -> None:
    archived(site)
    with site.log() as log:
        write(log, "share-s2", HOME)

    assert report(site).ok


# -- crashes, repetitions, refusals --------------------------------------------------------------
def check_after_crash(site: Site, before: list[Leaf]) -> None:
    """Nothing is lost at any time, and repeating leads to the same end."""
    assert leaves(site)[:15] == before
    assert report(site).ok

    done = archived(site)

    assert leaves(site)[:15] == before
    assert (done.events, report(site).ok) == (6, True)
    assert sum(isinstance(row, ArchivedRow) for row in site.rows()) == 6
    assert [row.stream for row in site.rows()].count(STREAM) == 1
    assert site.json("log", "verify")["covered"] == 16


def crash_at(step: int, home: Path) -> None:
    from tests.audit.conftest import write_story

    site = Site(home)
    with site.log() as log:
        write_story(log)
    before = leaves(site)
    die_at(step, lambda: archived(site), Archived)
    check_after_crash(site, before)


def steps(home: Path) -> int:
    from tests.audit.conftest import write_story

    site = Site(home)
    with site.log() as log:
        write_story(log)
    return count_steps(lambda: archived(site), Archived)


def test_a_crash_at_some_steps_loses_nothing_and_repeating_goes_on(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    total = steps(tmp_path / "count")
    for step in range(20, total + 1, max(1, total // 8)):
        (tmp_path / str(step)).mkdir()
        crash_at(step, tmp_path / str(step))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_crash_at_every_step_loses_nothing_and_repeating_goes_on(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    for step in range(1, steps(tmp_path / "count") + 1):
        (tmp_path / str(step)).mkdir()
        crash_at(step, tmp_path / str(step))


def test_repeating_changes_nothing(either: Site) -> None:
    first = archived(either)
    rows = either.rows()

    again = archived(either)

    assert (again.position, again.removed) == (first.position, 0)
    assert either.rows() == rows


def test_a_file_that_is_kept_first_is_removed_from_the_log_later(site: Site) -> None:
    kept = archived(site, keep=True)
    assert (kept.events, kept.position, len(site.rows())) == (6, None, 15)
    with site.log() as log:
        write(log, "share-s3", HOME)

    done = archived(site)

    assert (done.removed, done.file_sha256) == (6, kept.file_sha256)


def test_a_second_archive_takes_what_was_deleted_since(site: Site) -> None:
    from tests.audit.conftest import SCRATCH

    archived(site)
    with site.log() as log:
        write(log, "share-s4", SCRATCH)
    site.file = site.path / "second.gz"

    assert archived(site).removed == 6
    assert (report(site).ok, site.json("log", "verify")["ok"]) == (True, True)


def test_a_log_in_use_is_refused_and_not_changed(site: Site) -> None:
    with closing(open_leased(lambda: ONE)(site.config, 1)):
        with pytest.raises(LogError, match="is in use by the system"):
            archived(site)
        assert not site.file.exists()


def test_nothing_is_removed_after_another_system_took_the_log_over(either: Site) -> None:
    from share_actors.audit.archives.removal import remove
    from share_actors.events.log.lease.lease import Lease

    archived(either, keep=True)
    with pytest.raises(
        LogError, match="another system has taken over the log; nothing was removed"
    ):
        remove(either.config.log, either.config.log_path, either.file, 16, Lease(ONE, 1, 0.0, 0.0))
    assert not any(isinstance(row, ArchivedRow) for row in either.rows())


def test_another_file_and_one_of_another_log_are_refused(site: Site, tmp_path: Path) -> None:
    site.file.write_text("mine")
    assert "choose a new file" in site.run(
        "log", "archive", "--older-than", "0d", "--to", str(site.file), code=3
    )
    assert site.file.read_text() == "mine"
    site.file.unlink()
    archived(site, keep=True)
    edit(site, "DELETE FROM stored_events WHERE rowid = 15")
    text = site.run("log", "archive", "--older-than", "0d", "--to", str(site.file), code=3)
    assert "the log has 5 of its 6 events" in text


def test_an_event_changed_after_the_file_was_written_is_not_removed(site: Site) -> None:
    archived(site, keep=True)
    edit(site, "UPDATE stored_events SET state = state || ' ' WHERE rowid = 11")

    with pytest.raises(LogError, match="position 11 of the log has not the event"):
        archived(site)


def test_without_checkpoints_there_is_no_archive(site: Site) -> None:
    config = site.config.model_copy(update={"audit": type(site.config.audit)()})
    with pytest.raises(ConfigError, match=r"audit\.checkpoints is not set"):
        archive(config, NOW, site.file, OPERATOR)


def test_the_catalog_learns_of_the_deletion_before_its_events_are_removed(site: Site) -> None:
    archived(site)

    with (
        site.log() as log,
        closing(Catalog.open(log, site.config.log, site.config.catalog_file)) as catalog,
    ):
        assert catalog.lag() == 0
        found = catalog.share("s2")
    assert found is not None
    assert found.status == "deleted"


# -- the command ---------------------------------------------------------------------------------
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
        ("999999w", "before all time"),
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
