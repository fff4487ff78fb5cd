"""Checkpoints are written behind the log, continued after any crash, and never signed for another log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from share_actors.actors.catalog import CatalogActor
from share_actors.config import Config, LogSettings
from share_actors.errors import ConfigError, LogError
from share_actors.events.checkpoints import writer as writing
from share_actors.events.checkpoints.check_bundle import Checkpoint
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.log import Log
from tests.events.appending import append, eventually
from tests.proofs import logs
from tests.proofs.logs import Signed, tampered, write_log


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    signed = Signed(tmp_path)
    write_log(signed.path, 300)
    return signed


def parsed(signed: Signed) -> Checkpoint:
    return Checkpoint.parse(signed.note, signed.key.public)


def test_a_checkpoint_has_the_form_of_a_transparency_log(signed: Signed) -> None:
    signed.write()
    origin, size, root, position, at, blank, signature = signed.note.splitlines()
    assert (origin, size, position, blank) == ("test/log", "300", "position 300", "")
    assert (len(root), at) == (44, "at 2026-03-01T00:00:00+00:00")
    assert signature.startswith("\N{EM DASH} test/log ")


def test_growing_in_steps_leads_to_the_same_tree_as_in_one(signed: Signed, tmp_path: Path) -> None:
    for number in (1, 211, 300, 512):
        signed.write()
        write_log(signed.path, number, seed=number)
    signed.write()
    other = Signed(tmp_path / "other", "test/log")
    other.path = signed.path
    other.write()
    assert parsed(signed).root == Checkpoint.parse(other.note, other.key.public).root
    assert signed.verify().covered == 300 + 1 + 211 + 300 + 512
    assert len(list(signed.directory.history())) == 5


def test_nothing_new_writes_nothing(signed: Signed) -> None:
    signed.write()
    assert signed.write() is None
    assert len(list(signed.directory.history())) == 1


def test_a_long_log_is_covered_in_several_checkpoints(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_EVENTS", 100)
    monkeypatch.setattr(writing, "BATCH_SIZE", 50)
    signed.write()
    sizes = [int(note.splitlines()[1]) for note in signed.directory.history()]
    assert sizes == [100, 200, 300]


@pytest.mark.parametrize("damage", ["", "{}", '{"size": 300, "hashes": ["00"]}', "[1]"])
def test_a_lost_cache_is_rebuilt_from_the_leaves(signed: Signed, damage: str) -> None:
    signed.write()
    (signed.directory.path / "resume.json").write_text(damage)
    write_log(signed.path, 5, seed=2)
    signed.write()
    assert signed.verify().covered == 305


@pytest.mark.parametrize("tamper", [logs.truncate, logs.swap_streams])
def test_no_checkpoint_is_signed_for_a_log_that_has_not_the_last_event(
    signed: Signed, tamper: logs.Tamper
) -> None:
    signed.write()
    before = signed.note
    tampered(signed.path, tamper, 4)
    if tamper is logs.swap_streams:
        tampered(signed.path, lambda c, rows, chance: logs.edit(c, rows[-1:], chance), 1)
    write_log(signed.path, 3, seed=3)
    with pytest.raises(LogError, match="is not the one of the checkpoints"):
        signed.write()
    assert signed.note == before


def test_a_clock_that_ran_backwards_is_in_the_history_and_breaks_nothing(signed: Signed) -> None:
    signed.write()
    write_log(signed.path, 5, seed=2)
    signed.now -= timedelta(days=400)
    signed.write()
    first, second = (note.splitlines()[4] for note in signed.directory.history())
    assert (second < first, signed.verify().covered) == (True, 305)


def test_the_key_of_another_log_is_refused(signed: Signed, tmp_path: Path) -> None:
    signed.write()
    with pytest.raises(ConfigError, match="it is the key of the log test/log"):
        Signed(tmp_path, "other/log")
    (tmp_path / "checkpoint.key").write_text("nonsense")
    with pytest.raises(ConfigError, match="not a key for checkpoints"):
        Signed(tmp_path)
    (tmp_path / "checkpoint.key").unlink()
    with pytest.raises(LogError, match="has not signed it"):
        Signed(tmp_path).write()


def test_the_private_key_is_readable_by_its_owner_alone(signed: Signed, tmp_path: Path) -> None:
    assert (tmp_path / "checkpoint.key").stat().st_mode & 0o777 == 0o600
    again = SigningKey.load(tmp_path / "checkpoint.key", "test/log")
    assert again.public == signed.key.public


PROGRAM = """
import sys
from pathlib import Path
from share_actors.events.checkpoints import writer
from tests.proofs.logs import Signed
writer.MAX_EVENTS = writer.BATCH_SIZE = 37
signed = Signed(Path(sys.argv[1]))
print("started", flush=True)
signed.write()
"""


def killed_while_writing(home: Path, after_s: float) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with program:
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(after_s)
        os.kill(program.pid, signal.SIGKILL)


def test_a_writer_killed_at_any_time_is_continued(signed: Signed, tmp_path: Path) -> None:
    write_log(signed.path, 3_000, seed=2)
    for after_s in (0.005, 0.02, 0.05):
        killed_while_writing(tmp_path, after_s)
    signed.write()
    assert signed.verify().covered == 3_300


@pytest.mark.soak
def test_a_writer_killed_at_many_times_is_continued(signed: Signed, tmp_path: Path) -> None:
    for number in range(40):
        write_log(signed.path, 2_000, seed=number)
        killed_while_writing(tmp_path, number * 0.004)
        if signed.directory.newest() is not None:
            assert signed.verify().ok
    signed.write()
    assert signed.verify().covered == 80_300


def test_a_running_system_writes_checkpoints(tmp_path: Path) -> None:
    config = Config(
        home=tmp_path,
        backends={"b": {"driver": "dummy"}},
        audit={"checkpoints": tmp_path / "audit", "every_s": 0.05},
    )
    log = Log.open(config.log, config.log_path)
    signed = Signed(tmp_path, config.audit_origin)
    signed.directory.path = tmp_path / "audit"

    async def run() -> None:
        catalog = CatalogActor(config)
        await catalog.follow()
        try:
            append_and_wait = asyncio.to_thread(append_in_steps, log, signed)
            await append_and_wait
        finally:
            await catalog.stop()

    asyncio.run(run())
    log.close()
    assert signed.verify().covered == 4


def append_in_steps(log: Log, signed: Signed) -> None:
    for number in range(4):
        append(log, "share-a", number, "x")
        assert eventually(covers(signed, number + 1))


def covers(signed: Signed, size: int) -> Callable[[], bool]:
    def holds() -> bool:
        note = signed.directory.newest()
        return note is not None and int(note.splitlines()[1]) == size

    return holds


def test_a_postgresql_log_with_gaps_in_its_positions_is_covered(
    postgres_settings: LogSettings, tmp_path: Path
) -> None:
    from share_actors.audit.proofs import verify
    from share_actors.audit.reading.reader_source import open_rows
    from share_actors.events.checkpoints.directory import CheckpointDirectory
    from share_actors.events.checkpoints.writer import CheckpointWriter
    from share_actors.events.log import Conflict
    from share_actors.events.log.rows import rows_in_order

    log = Log.open(postgres_settings, tmp_path)
    append(log, "share-a", 0, "x")
    other = Log.open(postgres_settings, tmp_path)
    with pytest.raises(Conflict):  # takes a position and rolls back
        append(other, "share-a", 0, "y")
    append(log, "share-b", 0, "x", "y")
    positions = [row.position for row in log.notifications(0, 10)]
    directory = CheckpointDirectory(tmp_path / "audit")
    writer = CheckpointWriter(directory, SigningKey.generate("pg"))
    with open_rows(postgres_settings, tmp_path) as read:
        written = writer.write_all(read)
        assert written is not None
        checkpoint = Checkpoint.parse(written.note, writer.key.public)
        report = verify(rows_in_order(read), checkpoint, directory.leaves(3))
    log.close()
    other.close()
    assert positions[-1] > 3
    assert (report.ok, report.covered) == (True, 3)


def test_reading_a_stream_with_a_gap_names_the_missing_version(tmp_path: Path) -> None:
    signed = Signed(tmp_path)
    log = Log.open(LogSettings(), signed.path)
    append(log, "share-a", 0, "x", "y", "z")
    tampered(signed.path, lambda c, rows, chance: logs.remove(c, rows[1:3], chance), 1)
    with pytest.raises(LogError, match="stream share-a: version 2 is missing"):
        log.read("share-a")
    assert [item.version for item in log.read("share-a", after=2)] == [3]
    log.close()


def test_history_lines_cut_off_by_a_crash_are_skipped(signed: Signed) -> None:
    signed.write()
    with (signed.directory.path / "history.jsonl").open("a") as history:
        history.write(json.dumps({"size": 1})[:7])
    write_log(signed.path, 1, seed=2)
    signed.write()
    assert len(list(signed.directory.history())) == 2
