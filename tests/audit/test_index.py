"""The index of a log: made, brought up to date, used, and refused if it does not fit."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from eventsourcing.cryptography import AESCipher
from pydantic import SecretStr

from share_actors.audit.index import IndexUpdate, open_index, update_index
from share_actors.audit.queries import find_stream
from share_actors.audit.reading.reader import open_reader
from share_actors.audit.time_travel import changes, shares_at, state_at
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest, LogError, NotFound
from share_actors.events.log import Log
from tests.audit.conftest import HOME, NOON, write, write_story
from tests.events.share_events import created, requested

VERSION = "0.2.0"


@pytest.fixture
def index(where: str, tmp_path: Path) -> Path:
    update(where, tmp_path / "log.index")
    return tmp_path / "log.index"


def update(log: str | Path, index: Path, version: str = VERSION) -> IndexUpdate:
    with open_reader(log) as reader:
        return update_index(reader, index, version)


def fleets(log: str | Path, index: Path | None) -> list[object]:
    """The shares at each second, and the changes of each ten seconds."""
    with open_reader(log) as reader:
        if index is None:
            return answers(reader, None)
        with open_index(reader, index, VERSION) as usable:
            return answers(reader, usable)


def answers(reader: object, index: object) -> list[object]:
    seconds = [NOON + timedelta(seconds=n) for n in range(-1, 75, 4)]
    found: list[object] = [
        [share.model_dump() for share in shares_at(reader, at, gone=True, index=index)]  # type: ignore[arg-type]
        for at in seconds
    ]
    pairs = zip(seconds, seconds[3:], strict=False)
    return [*found, *([*changes(reader, *pair, index)] for pair in pairs)]  # type: ignore[arg-type]


def test_with_its_index_a_log_gives_the_same_answers(where: str, index: Path) -> None:
    assert fleets(where, index) == fleets(where, None)


def test_a_log_that_grew_since_gives_the_same_answers(log_path: Path, tmp_path: Path) -> None:
    index = tmp_path / "log.index"
    update(log_path, index)
    grow(log_path)

    assert fleets(log_path, index) == fleets(log_path, None)


def grow(path: Path) -> None:
    with closing(Log.open(LogSettings(), path)) as log:
        write(log, "share-s3", [(61, requested("s3", name="third"), "c-3"), (62, created())])
        write(log, "share-s1", [(65, HOME[3][1], "c-again")])


def test_an_update_folds_only_the_shares_that_got_events(log_path: Path, tmp_path: Path) -> None:
    index = tmp_path / "log.index"
    made = update(log_path, index)
    grow(log_path)
    with closing(Log.open(LogSettings(), log_path)) as log:
        write(log, "share-s1", [(70, HOME[7][1], "c-deny")])

    updated, unchanged = update(log_path, index), update(log_path, index)

    assert made == IndexUpdate(made=True, shares=2, head=15)
    assert updated == IndexUpdate(made=False, shares=2, head=19)
    assert (unchanged.shares, unchanged.head) == (0, 19)
    assert fleets(log_path, index) == fleets(log_path, None)


def test_a_name_is_found_by_the_index(log_path: Path, tmp_path: Path) -> None:
    update(log_path, tmp_path / "log.index")
    grow(log_path)

    with (
        open_reader(log_path) as reader,
        open_index(reader, tmp_path / "log.index", VERSION) as index,
    ):
        found = [find_stream(reader, name, index) for name in ("scratch", "home", "third")]
        with pytest.raises(NotFound):
            find_stream(reader, "fourth", index)

    assert found == ["share-s2", "share-s1", "share-s3"]


def test_an_index_of_another_version_is_not_used_and_made_anew(
    log_path: Path, tmp_path: Path
) -> None:
    update(log_path, tmp_path / "log.index", "0.1.0")

    with pytest.raises(InvalidRequest, match=r"made by version 0\.1\.0, states \d+: run"):
        fleets(log_path, tmp_path / "log.index")
    assert update(log_path, tmp_path / "log.index").made
    assert fleets(log_path, tmp_path / "log.index")


def test_an_index_is_private_until_its_owner_says_otherwise(log_path: Path, tmp_path: Path) -> None:
    index, umask = tmp_path / "log.index", os.umask(0)
    try:
        for made, mode in enumerate((0o600, 0o640)):
            if made:
                index.chmod(mode)
            assert update(log_path, index, f"0.1.{made}").made

            assert oct(index.stat().st_mode & 0o777) == oct(mode)
    finally:
        os.umask(umask)


def test_the_index_of_another_log_is_neither_used_nor_changed(
    log_path: Path, tmp_path: Path
) -> None:
    index, other = tmp_path / "log.index", tmp_path / "other.db"
    update(log_path, index)
    with closing(Log.open(LogSettings(), other)) as log:
        write_story(log)
    before = index.read_bytes()

    for use in (lambda: fleets(other, index), lambda: update(other, index)):
        with pytest.raises(InvalidRequest, match="is the index of another log"):
            use()
    assert index.read_bytes() == before


def test_the_index_of_an_empty_log_is_brought_up_to_date(tmp_path: Path) -> None:
    log, index = tmp_path / "log.db", tmp_path / "log.index"
    Log.open(LogSettings(), log).close()
    update(log, index)
    with closing(Log.open(LogSettings(), log)) as writable:
        write_story(writable)

    assert fleets(log, index) == fleets(log, None)
    assert update(log, index) == IndexUpdate(made=False, shares=2, head=15)


def test_the_index_of_an_encrypted_log_is_encrypted(tmp_path: Path) -> None:
    log, index = tmp_path / "log.db", tmp_path / "log.index"
    settings = LogSettings(cipher_key=SecretStr(AESCipher.create_key(16)))
    with closing(Log.open(settings, log)) as writable:
        write_story(writable)

    with open_reader(log, settings) as reader:
        update_index(reader, index, VERSION)
        with open_index(reader, index, VERSION) as usable:
            assert answers(reader, usable) == answers(reader, None)
            assert find_stream(reader, "scratch", usable) == "share-s2"
    assert not any(name in index.read_bytes() for name in (b"scratch", b"alice", b"demo"))


def test_a_state_in_the_index_that_is_damaged_is_an_error_that_names_the_index(
    log_path: Path, tmp_path: Path
) -> None:
    update(log_path, tmp_path / "log.index")
    with closing(sqlite3.connect(tmp_path / "log.index")) as connection, connection:
        connection.execute("UPDATE shares SET view = x'7b7d7d'")

    with pytest.raises(InvalidRequest, match=r"--index: .* cannot be used: .* delete it"):
        fleets(log_path, tmp_path / "log.index")


@pytest.mark.parametrize("content", [b"", b"not an index\n" * 400])
def test_a_file_that_is_no_index_is_not_changed(
    log_path: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mine").write_bytes(content)

    with pytest.raises(InvalidRequest, match=r"--index: .*mine (is not the index|cannot be used)"):
        update(log_path, tmp_path / "mine")

    assert (tmp_path / "mine").read_bytes() == content


def test_an_event_that_cannot_be_read_leaves_the_index_as_it_was(
    log_path: Path, tmp_path: Path
) -> None:
    index = tmp_path / "log.index"
    update(log_path, index)
    before = index.read_bytes()
    grow(log_path)
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 17")

    with pytest.raises(LogError, match="share-s3 version 2"):
        update(log_path, index)

    assert index.read_bytes() == before


def test_a_time_without_a_zone_in_the_log_is_refused(log_path: Path) -> None:
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute(
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT),"
            " '2026-03-01T12:00:05Z', '2026-03-01T12:00:05') AS BLOB) WHERE rowid = 3"
        )

    with open_reader(log_path) as reader, pytest.raises(LogError, match=r"version 3.* has no zone"):
        list(shares_at(reader, NOON))
    with open_reader(log_path) as reader, pytest.raises(LogError, match=r"version 3.* has no zone"):
        state_at(reader, "share-s1", NOON)


def test_an_index_of_another_version_stays_if_a_new_one_cannot_be_made(
    log_path: Path, tmp_path: Path
) -> None:
    index = tmp_path / "log.index"
    update(log_path, index, "0.1.0")
    before = index.read_bytes()
    with closing(sqlite3.connect(log_path)) as log, log:
        log.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 3")

    with pytest.raises(LogError, match="share-s1 version 3"):
        update(log_path, index)

    assert index.read_bytes() == before
