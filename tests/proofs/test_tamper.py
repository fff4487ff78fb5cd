"""Each way of changing a log is found, and its first position and share are named."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.proofs import logs
from tests.proofs.logs import TAMPERS, Signed, Tamper, tampered, write_log

SEEDS = 12
"""Random positions of each kind in the suite."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    signed = Signed(tmp_path_factory.mktemp("original"))
    write_log(signed.path, 600)
    signed.write()
    return signed


@pytest.fixture
def signed(original: Signed, tmp_path: Path) -> Signed:
    """The same log with its checkpoints, to be changed."""
    home = tmp_path / "copy"
    shutil.copytree(original.path.parent, home)
    return Signed(home)


def test_an_unchanged_log_is_covered_by_its_checkpoint(original: Signed) -> None:
    report = original.verify()
    assert (report.ok, report.covered, report.uncovered, report.notes) == (True, 600, 0, ())


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_tampering_is_found_at_its_first_position_and_share(
    tamper: Tamper, original: Signed, signed: Signed
) -> None:
    for seed in range(SEEDS):
        shutil.copy(original.path, signed.path)
        expected = tampered(signed.path, tamper, seed)
        report = signed.verify()
        first = report.findings[0]
        assert (first.kind in expected.kinds, first.position) == (True, expected.position), seed
        assert first.stream in expected.streams
        assert first.share == expected.streams[0].removeprefix("share-")
        assert report.agreeing == expected.position - 1
        assert report.covered == 0


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_a_checkpoint_without_its_leaves_still_shows_that_the_log_was_changed(
    tamper: Tamper, signed: Signed
) -> None:
    tampered(signed.path, tamper, 1)
    report = signed.verify(leaves=False)
    assert "differs" in {finding.kind for finding in report.findings}
    assert not report.ok


@pytest.mark.parametrize("tamper", [logs.remove, logs.remove_and_close_up])
def test_an_event_removed_from_the_middle_of_a_stream_is_found_without_a_checkpoint(
    tamper: Tamper, signed: Signed
) -> None:
    expected = tampered(signed.path, tamper, 5)
    kinds = {finding.kind: finding for finding in signed.verify_alone().findings}
    gap = kinds["version_gap"]
    assert gap.stream in expected.streams
    assert gap.position is not None
    assert gap.position >= expected.position


def test_a_removed_stream_leaves_positions_without_events(signed: Signed) -> None:
    expected = tampered(signed.path, logs.remove_stream, 3)
    first = signed.verify_alone().findings[0]
    assert (first.kind, first.position) == ("position_gap", expected.position)


def test_changed_leaves_beside_the_checkpoint_are_not_believed(signed: Signed) -> None:
    bundle = signed.directory.path / "tile" / "entries" / "001"
    bundle.write_bytes(bundle.read_bytes().replace(b"share-s1", b"share-s2"))
    report = signed.verify()
    assert (report.ok, report.covered) == (True, 600)
    assert "do not lead to its root" in report.notes[0]
    tampered(signed.path, logs.edit, 1)
    assert [finding.kind for finding in signed.verify().findings] == ["differs"]


@pytest.mark.parametrize("damage", [b"", b"\0", b"\0\5abc", b"\0\2[]"])
def test_damaged_leaves_are_named_and_the_log_is_verified_without_them(
    signed: Signed, damage: bytes
) -> None:
    (signed.directory.path / "tile" / "entries" / "000").write_bytes(damage)
    report = signed.verify()
    assert (report.ok, report.covered, len(report.notes)) == (True, 600, 1)


def test_values_of_types_that_the_system_never_writes_are_found(signed: Signed) -> None:
    with sqlite3.connect(signed.path) as connection:
        connection.execute("UPDATE stored_events SET state = CAST(state AS TEXT) WHERE rowid = 9")
        connection.execute("UPDATE stored_events SET topic = NULL WHERE rowid = 12")
    connection.close()
    assert [finding.position for finding in signed.verify().findings] == [9, 12]


def test_two_logs_with_one_past_part_where_the_first_of_their_events_differs(
    original: Signed, tmp_path: Path
) -> None:
    one, two = (tmp_path / "one", tmp_path / "two")
    for number, home in enumerate((one, two)):
        shutil.copytree(original.path.parent, home)
        write_log(home / "log.db", 50, seed=10 + number)
    Signed(one).write()
    other = Signed(one)
    other.path = two / "log.db"
    report = other.verify()
    assert (report.agreeing, report.findings[0].position) == (600, 601)


def test_events_after_the_checkpoint_are_said_not_to_be_covered(signed: Signed) -> None:
    write_log(signed.path, 30, seed=2)
    report = signed.verify()
    assert (report.ok, report.covered, report.uncovered) == (True, 600, 30)


@pytest.mark.soak
def test_the_table_of_tampering_with_a_log_of_100_000_events(tmp_path: Path) -> None:
    signed = Signed(tmp_path)
    write_log(signed.path, 100_000, streams=5_000)
    signed.write()
    intact = tmp_path / "intact.db"
    shutil.copy(signed.path, intact)
    for tamper in TAMPERS:
        for seed in range(3):
            shutil.copy(intact, signed.path)
            expected = tampered(signed.path, tamper, seed)
            first = signed.verify().findings[0]
            print(f"{tamper.__name__} at {expected.position}: {first.kind} at {first.position}")
            assert (first.position, first.stream) == (expected.position, expected.streams[0])
