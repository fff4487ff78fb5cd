"""A backup restored into a new log, replayed and proven, and the times; the live log is not touched."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from share_actors.audit.proofs import Finding, Report, verify
from share_actors.audit.reading.reader_source import open_rows
from share_actors.audit.reading.reader_sqlite import SQLiteSource
from share_actors.audit.statistics import PROGRESS_EVERY, Progress, no_progress
from share_actors.audit.transfer.import_log import import_log
from share_actors.audit.transfer.import_target import open_target
from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog import Catalog
from share_actors.events.checkpoints.check_bundle import Checkpoint
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.log import Log
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.codec import Codec
from share_actors.events.log.infrastructure import codec_of
from share_actors.events.log.rows import rows_in_order
from share_actors.values import Frozen

T = TypeVar("T")


class Lost(Frozen):
    """What the checkpoint has and the backup has not: the events after it."""

    events: int
    entities: int
    first: int
    """The position of the first of them."""


class Drill(Frozen):
    """What a drill found; times are in seconds."""

    events: int
    streams: int
    head: int
    last_at: datetime | None
    """When the last event of the backup was recorded."""
    shares: dict[str, int]
    """How many shares have each status after the replay."""
    not_replayed: tuple[str, ...]
    """Streams that cannot be replayed, each with the reason."""
    covered: int
    """Events that are proven to be those of the checkpoint."""
    after_checkpoint: int
    """Events of the backup that the checkpoint does not cover, so that nothing proves them."""
    lost: Lost | None
    findings: tuple[dict[str, object], ...]
    notes: tuple[str, ...]
    restore_s: float
    replay_s: float
    verify_s: float

    @property
    def ok(self) -> bool:
        """Whether the backup can be restored, and is what was recorded as far as it goes."""
        return not self.findings and not self.not_replayed


class Target(Frozen):
    """The new log: its settings, its file if it is SQLite, and a file for a catalog."""

    log: LogSettings
    path: Path
    catalog: Path


def drill(
    backup: str | Path,
    source: LogSettings,
    target: Target,
    checkpoint: Checkpoint | None,
    leaves: Callable[[], Iterable[Leaf]],
    progress: Progress = no_progress,
) -> Drill:
    """Restore *backup* into the new log of *target*, replay it, and compare it with *checkpoint*.

    *backup*: a SQLite file, an export (JSON Lines), or the URL of a database, whose settings are *source*.
    *leaves*: those recorded beside the checkpoint. Raises `LogError` for a backup that cannot be restored.
    """
    _, restore_s = _timed(lambda: restore(backup, source, target, progress))
    with closing(Log.open(target.log, target.path, create=False)) as log:
        (shares, not_replayed), replay_s = _timed(lambda: _replay(log, target, progress))
        head, last_at = log.head(), _last_at(log)
    report, verify_s = _timed(lambda: _verify(target, checkpoint, leaves()))
    lost = None if checkpoint is None else _lost(report, leaves())
    found = [] if lost is not None else report.findings
    return Drill(
        events=report.events,
        streams=report.streams,
        head=head,
        last_at=last_at,
        shares=shares,
        not_replayed=not_replayed,
        covered=report.agreeing if lost is not None else report.covered,
        after_checkpoint=0 if lost is not None or checkpoint is None else report.uncovered,
        lost=lost,
        findings=tuple(finding.document() for finding in found),
        notes=report.notes,
        restore_s=restore_s,
        replay_s=replay_s,
        verify_s=verify_s,
    )


def _timed(job: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = job()
    return result, round(time.perf_counter() - start, 3)


# -- restoring -----------------------------------------------------------------------------------
def restore(
    backup: str | Path, source: LogSettings, target: Target, progress: Progress = no_progress
) -> None:
    """Restore *backup* into the new log of *target*; see `drill`."""
    if source.kind == "postgresql":
        _copy_rows(source, Path(), target, progress)
    elif not _is_sqlite(Path(backup)):
        with Path(backup).open("rb") as lines:
            import_log(lines, target.log, target.path, progress)
    elif target.log.kind == "sqlite":
        with closing(SQLiteSource(Path(backup))) as copied:
            copied.copy_to(target.path)
        _check_pages(target.path)
    else:
        _copy_rows(source, Path(backup), target, progress)


def _is_sqlite(backup: Path) -> bool:
    """Whether it is no export, which begins with a brace; what is neither is refused as no log."""
    try:
        with backup.open("rb") as file:
            return file.read(1) != b"{"
    except OSError as error:
        raise LogError(f"{backup}: cannot be read: {error.strerror}", field="backup") from None


def _check_pages(path: Path) -> None:
    """Raise `LogError` if a page of the restored file is damaged."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        problem = str(error)
    if problem != "ok":
        raise LogError(f"the backup is damaged: {problem}; take an older one", field="backup")


def _copy_rows(source: LogSettings, path: Path, target: Target, progress: Progress) -> None:
    Log.open(target.log, target.path).close()
    with (
        open_rows(source, path) as read,
        open_target(target.log, target.path) as rows,
    ):
        for row in rows_in_order(read):
            if isinstance(row, ArchivedRow):
                rows.insert_archived(row)
            else:
                rows.insert(row)
            if row.position % PROGRESS_EVERY == 0:
                progress(row.position, 0)
        rows.commit()


# -- replaying and proving -----------------------------------------------------------------------
def _replay(log: Log, target: Target, progress: Progress) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of shares by status, and what could not be replayed, from a new catalog."""
    with closing(Catalog.open(log, target.log, target.catalog)) as catalog:

        def report(done: int, total: int) -> None:
            progress(done, total)

        catalog.rebuild(report)
        parked = tuple(
            f"{item.stream} version {item.version}: {item.error}" for item in catalog.parked()
        )
        return catalog.count_shares(), parked


def _last_at(log: Log) -> datetime | None:
    rows = log.notifications(max(log.head() - 1, 0), 1)
    try:
        return log.decode(rows[0]).envelope.at if rows else None
    except LogError:
        return None


def _verify(target: Target, checkpoint: Checkpoint | None, leaves: Iterable[Leaf]) -> Report:
    codec: Codec = codec_of(target.log)
    with open_rows(target.log, target.path) as read:
        return verify(
            rows_in_order(read),
            checkpoint,
            leaves,
            contiguous=target.log.kind == "sqlite",
            decode=lambda row: codec.decode_row(
                row.stream, row.version, row.topic, row.state, row.position
            ),
        )


def _lost(report: Report, leaves: Iterable[Leaf]) -> Lost | None:
    """What is missing at the end; None if nothing is, or if something else is wrong too."""
    if [finding.kind for finding in report.findings] != ["truncated"]:
        return None
    end: Finding = report.findings[0]
    assert end.position is not None
    missing = [leaf.stream for leaf in _after(leaves, end.position)]
    return Lost(events=len(missing), entities=len({*missing}), first=end.position)


def _after(leaves: Iterable[Leaf], position: int) -> Iterator[Leaf]:
    return (leaf for leaf in leaves if leaf.position >= position)
