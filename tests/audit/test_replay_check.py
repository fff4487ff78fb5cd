"""The release gate: references are written, compared, and refused if they are not of this log."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from share_actors.audit.reading.reader import LogReader, open_reader
from share_actors.audit.replay.check import Checked, check
from share_actors.audit.replay.writing import write_reference
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest
from share_actors.events import share
from share_actors.events.log import Log
from share_actors.events.share.access import AccessRulesApplied
from tests.audit.conftest import NOON, Told, opened, write
from tests.golden.released_logs import RELEASES, log_of, reference_of


@pytest.fixture
def reference(reader: LogReader, tmp_path: Path) -> Path:
    write_reference(reader, tmp_path / "before.reference", "0.2.0")
    return tmp_path / "before.reference"


def checked(log: Path | str, reference: Path, version: str = "0.3.0") -> Checked:
    with open_reader(log) as reader:
        return check(reader, reference, version)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# -- released versions ---------------------------------------------------------------------------
@pytest.mark.parametrize("release", RELEASES)
def test_the_log_of_a_release_leads_to_the_states_to_which_its_own_code_led(release: str) -> None:
    found = checked(log_of(release), reference_of(release))

    assert (found.reference_version, found.differences, found.later_events) == (release, (), 0)


def test_there_is_a_golden_log_of_every_release() -> None:
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")

    assert sorted(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)) == RELEASES


# -- the same, and what is new -------------------------------------------------------------------
def test_the_same_code_comes_to_the_same_states(where: str, tmp_path: Path) -> None:
    with open_reader(where) as reader:
        write_reference(reader, tmp_path / "reference", "0.2.0")

    found = checked(where, tmp_path / "reference")

    assert (found.ok, found.streams, found.events) == (True, 2, 15)


def test_events_that_came_after_the_reference_are_counted_and_no_difference(
    log_path: Path, reference: Path
) -> None:
    with closing(Log.open(LogSettings(), log_path)) as log:
        write(log, "share-s1", [(70, opened("r9"), "c-late")])

    found = checked(log_path, reference)

    assert (found.ok, found.events, found.later_events) == (True, 15, 1)


# -- differences ---------------------------------------------------------------------------------
Evolve = Callable[[Any, Any], Any]


@pytest.fixture
def changed_code(monkeypatch: pytest.MonkeyPatch) -> Callable[[Evolve], None]:
    """Replace the fold of shares by a function of the state that it would come to, and the event."""
    evolve = share.evolve

    def use(instead: Evolve) -> None:
        monkeypatch.setattr(share, "evolve", lambda s, e: instead(evolve(s, e), e))

    return use


def test_code_that_comes_to_another_state_is_found_at_the_first_event_where_it_does(
    log_path: Path, reference: Path, changed_code: Callable[[Evolve], None]
) -> None:
    def grows(state: Any, event: Any) -> Any:
        if isinstance(event, AccessRulesApplied) and event.removed:
            return state.replace(share=state.share.replace(size=99))
        return state

    changed_code(grows)

    (difference,) = checked(log_path, reference).differences
    place = (difference.stream, difference.version, difference.position, difference.topic)
    assert place == ("share-s1", 9, 9, "access.rules_applied")
    assert (difference.kind, difference.fields) == ("state", ("share.size",))
    assert difference.at == NOON + timedelta(seconds=40)


def test_a_state_that_differed_only_for_a_while_is_a_difference_too(
    log_path: Path, reference: Path, changed_code: Callable[[Evolve], None]
) -> None:
    changed_code(lambda s, _: s.replace(room=s.room + (s.share.status == "extending")))

    (difference,) = checked(log_path, reference).differences

    assert (difference.version, difference.fields) == (
        6,
        ("doing", "resize_to", "room", "share.status"),
    )


def test_code_that_cannot_fold_an_event_is_a_difference_that_says_why(
    log_path: Path, reference: Path, changed_code: Callable[[Evolve], None]
) -> None:
    def fails(state: Any, _: Any) -> Any:
        if state.share.status == "deleted":
            raise KeyError("gone")
        return state

    changed_code(fails)

    (difference,) = checked(log_path, reference).differences
    assert (difference.kind, difference.stream, difference.version) == ("unreadable", "share-s2", 6)
    assert "share.deleted cannot be folded: KeyError: 'gone'" in difference.detail


@pytest.mark.parametrize(
    ("statement", "kind", "version"),
    [
        ("UPDATE stored_events SET topic = 'share.new' WHERE rowid = 3", "unreadable", 3),
        ("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 3", "unreadable", 3),
        ("DELETE FROM stored_events WHERE rowid = 3", "unreadable", 3),
        ("DELETE FROM stored_events WHERE rowid BETWEEN 8 AND 9", "missing", 8),
        ("DELETE FROM stored_events WHERE rowid BETWEEN 2 AND 9", "missing", 2),
    ],
)
def test_an_event_that_cannot_be_read_or_is_missing_is_a_difference(
    log_path: Path, reference: Path, statement: str, kind: str, version: int
) -> None:
    change(log_path, statement)

    (difference,) = checked(log_path, reference).differences

    assert (difference.kind, difference.stream, difference.version) == (kind, "share-s1", version)


def test_a_whole_stream_that_is_missing_is_a_difference(log_path: Path, reference: Path) -> None:
    # the last event of all stays, as in a log that went on
    with closing(Log.open(LogSettings(), log_path)) as log:
        write(log, "share-s3", [(70, opened("r9"), "c-late")])
    change(
        reference, "INSERT INTO streams SELECT 'share-s0', chain, fields, NULL FROM streams LIMIT 1"
    )

    (difference,) = checked(log_path, reference).differences

    assert (difference.kind, difference.stream) == ("missing", "share-s0")


def test_an_initial_value_that_changed_is_a_difference(log_path: Path, reference: Path) -> None:
    rewrite(reference, 6, lambda initial: initial["share"].update({"share.size": "7", "gone": "1"}))

    (difference,) = checked(log_path, reference).differences

    assert (difference.kind, difference.fields) == ("initial", ("share.size",))


def rewrite(reference: Path, part: int, edit: Callable[[Any], object]) -> None:
    with closing(sqlite3.connect(reference)) as connection, connection:
        document = json.loads(connection.execute("SELECT document FROM meta").fetchone()[0])
        document[part] = edit(document[part]) or document[part]
        connection.execute("UPDATE meta SET document = ?", (json.dumps(document),))


def test_a_field_that_the_version_before_did_not_have_is_no_difference(
    log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evolve, fields = share.evolve, {**share.ShareState.model_fields}
    del fields["room"]
    with monkeypatch.context() as earlier, open_reader(log_path) as reader:
        earlier.setattr(share, "evolve", lambda s, e: evolve(s, e).replace(room=0))
        write_reference(reader, tmp_path / "reference", "0.2.0")
    assert not checked(log_path, tmp_path / "reference").ok

    rewrite(tmp_path / "reference", 7, lambda known: known.update(ShareState=[*fields]))

    assert checked(log_path, tmp_path / "reference").ok


# -- what is no reference of this log ------------------------------------------------------------
def test_the_reference_of_another_log_is_refused(reference: Path, tmp_path: Path) -> None:
    other: list[Told] = [(0, opened("r1"), "c")]
    with closing(Log.open(LogSettings(), tmp_path / "other.db")) as log:
        write(log, "share-s1", other)

    with pytest.raises(InvalidRequest, match="reference of another log"):
        checked(tmp_path / "other.db", reference)


def test_the_reference_of_a_newer_version_is_refused(log_path: Path, reference: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"written by share_actors 0\.2\.0, which is newer"):
        checked(log_path, reference, "0.1.9")


def test_the_reference_of_a_newer_format_is_refused(log_path: Path, reference: Path) -> None:
    rewrite(reference, 0, lambda _: 2)

    with pytest.raises(InvalidRequest, match="has format 2, written by share_actors 0"):
        checked(log_path, reference)


@pytest.mark.parametrize("damage", ["text", "log", "cut", "directory", "missing"])
def test_a_file_that_is_no_reference_is_refused(
    log_path: Path, reference: Path, tmp_path: Path, damage: str
) -> None:
    wrong = tmp_path / "wrong"
    match damage:
        case "text":
            wrong.write_text("no reference\n" * 200)
        case "log":
            shutil.copy(log_path, wrong)
        case "cut":
            wrong.write_bytes(reference.read_bytes()[:2000])
        case "directory":
            wrong.mkdir()

    with pytest.raises(InvalidRequest, match=r"--check: .*wrong (is not|is damaged)"):
        checked(log_path, wrong)


def test_a_reference_never_replaces_a_file(reader: LogReader, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(InvalidRequest, match="exists; it was not changed"):
        write_reference(reader, tmp_path / "mine", "0.2.0")

    assert (tmp_path / "mine").read_text() == "mine"
