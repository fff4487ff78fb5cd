"""Logs with checkpoints for tests, and the ways in which somebody with access to the file changes them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.audit.proofs import Report, verify
from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import LogSettings
from share_actors.events.checkpoints.check_bundle import Checkpoint
from share_actors.events.checkpoints.directory import CheckpointDirectory
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.writer import CheckpointWriter, Written
from share_actors.events.log import Log
from share_actors.events.log.rows import rows_in_order

TOPIC = "access.denied"
Rows = list[tuple[int, str, int]]
"""Position, stream and version of every event."""


def write_log(path: Path, events: int, seed: int = 1, streams: int = 7) -> None:
    """Append *events* to the log at *path*, in so many streams by turns that *seed* chooses."""
    Log.open(LogSettings(), path).close()
    chance = random.Random(seed)
    versions = {stream: version for _, stream, version in rows_of(path)}
    rows = []
    for number in range(events):
        stream = f"share-s{chance.randrange(streams)}"
        versions[stream] = versions.get(stream, 0) + 1
        rows.append((stream, versions[stream], TOPIC, f'{{"seed":{seed},"n":{number}}}'.encode()))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO stored_events VALUES (?,?,?,?)", rows)


def rows_of(path: Path) -> Rows:
    query = "SELECT rowid, originator_id, originator_version FROM stored_events ORDER BY rowid"
    with closing(sqlite3.connect(path)) as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


class Signed:
    """A log with a directory of checkpoints and a key."""

    def __init__(self, home: Path, name: str = "test/log") -> None:
        self.path, self.directory = home / "log.db", CheckpointDirectory(home / "checkpoints")
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.key = SigningKey.load_or_create(home / "checkpoint.key", name)
        self.writer = CheckpointWriter(self.directory, self.key, lambda: self.now)

    def write(self) -> Written | None:
        with open_rows(LogSettings(), self.path) as read:
            return self.writer.write_all(read)

    @property
    def note(self) -> str:
        note = self.directory.newest()
        assert note is not None
        return note

    def verify(self, note: str | None = None, *, leaves: bool = True) -> Report:
        """Verify the log against *note*, or else the newest checkpoint."""
        checkpoint = Checkpoint.parse(note or self.note, self.key.public)
        recorded = self.directory.leaves(checkpoint.size) if leaves else iter(())
        with open_rows(LogSettings(), self.path) as read:
            return verify(rows_in_order(read), checkpoint, recorded, contiguous=True)

    def verify_alone(self) -> Report:
        """Verify the log without a checkpoint."""
        with open_rows(LogSettings(), self.path) as read:
            return verify(rows_in_order(read), contiguous=True)


# -- tampering -----------------------------------------------------------------------------------
class Expected(NamedTuple):
    """What verification must say first: one of these kinds, this position, and one of these streams."""

    kinds: tuple[str, ...]
    position: int
    streams: tuple[str, ...]


Tamper = Callable[[sqlite3.Connection, Rows, random.Random], Expected]


def tampered(path: Path, tamper: Tamper, seed: int) -> Expected:
    """Change the log at *path*; returns what verification must say."""
    rows = rows_of(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        return tamper(connection, rows, random.Random(seed))


def edit(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    position, stream, _ = chance.choice(rows)
    connection.execute("UPDATE stored_events SET state = state || ' ' WHERE rowid = ?", [position])
    return Expected(("edited",), position, (stream,))


def remove(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    position, stream, _ = chance.choice(rows[:-1])
    connection.execute("DELETE FROM stored_events WHERE rowid = ?", [position])
    return Expected(("removed",), position, (stream,))


def remove_and_close_up(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    """Also renumber what follows, as `VACUUM` does."""
    expected = remove(connection, rows, chance)
    for position, _, _ in rows[expected.position :]:
        connection.execute("UPDATE stored_events SET rowid = rowid - 1 WHERE rowid = ?", [position])
    return expected


def insert(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    position, stream, _ = chance.choice(rows)
    version = max(v for _, s, v in rows if s == stream) + 1
    for later, _, _ in reversed(rows[position - 1 :]):
        connection.execute("UPDATE stored_events SET rowid = rowid + 1 WHERE rowid = ?", [later])
    query = "INSERT INTO stored_events(rowid, originator_id, originator_version, topic, state)"
    connection.execute(f"{query} VALUES (?,?,?,?,x'7b7d')", [position, stream, version, TOPIC])
    return Expected(("inserted",), position, (stream,))


def reorder(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    """Exchange the positions of two events."""
    (first, stream, _), (second, _, _) = sorted(chance.sample(rows, 2))
    for source, target in ((first, -1), (second, first), (-1, second)):
        connection.execute("UPDATE stored_events SET rowid = ? WHERE rowid = ?", [target, source])
    return Expected(("reordered",), first, (stream,))


def exchange_contents(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    """Exchange the bytes of two events, which keep their positions and versions."""
    (first, stream, _), (second, _, _) = sorted(chance.sample(rows, 2))
    states = dict(
        connection.execute(
            "SELECT rowid, state FROM stored_events WHERE rowid IN (?,?)", [first, second]
        )
    )
    for position, other in ((first, second), (second, first)):
        query = "UPDATE stored_events SET state = ? WHERE rowid = ?"
        connection.execute(query, [states[other], position])
    return Expected(("reordered",), first, (stream,))


def truncate(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    position, stream, _ = chance.choice(rows)
    connection.execute("DELETE FROM stored_events WHERE rowid >= ?", [position])
    return Expected(("truncated",), position, (stream,))


def remove_stream(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    stream = chance.choice(rows)[1]
    connection.execute("DELETE FROM stored_events WHERE originator_id = ?", [stream])
    return Expected(("removed",), next(p for p, s, _ in rows if s == stream), (stream,))


def swap_streams(connection: Any, rows: Rows, chance: random.Random) -> Expected:
    first, second = chance.sample(sorted({stream for _, stream, _ in rows}), 2)
    for source, target in ((first, "share-x"), (second, first), ("share-x", second)):
        query = "UPDATE stored_events SET originator_id = ? WHERE originator_id = ?"
        connection.execute(query, [target, source])
    position, stream, _ = next(row for row in rows if row[1] in (first, second))
    return Expected(("reassigned",), position, (stream,))


TAMPERS: tuple[Tamper, ...] = (
    edit,
    remove,
    remove_and_close_up,
    insert,
    reorder,
    exchange_contents,
    truncate,
    remove_stream,
    swap_streams,
)
