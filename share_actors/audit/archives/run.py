"""An archive from the first step to the last; each may be the last before a crash, and repeating goes on.

1. The file is written, made durable, and read back: its events lead to a signed checkpoint.
2. The log gets a record of it (`log.archived`), and a checkpoint covers the record.
3. The rows are removed in one transaction, which keeps their leaves.
4. A SQLite file gives the empty pages back.

The process holds the lease of the log meanwhile, so no system can use it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from share_actors.audit.archives import file as archive_file
from share_actors.audit.archives.removal import remove, still_stored
from share_actors.audit.archives.selection import select
from share_actors.audit.archives.shrinking import shrink
from share_actors.audit.reading.reader import open_configured_reader
from share_actors.audit.reading.reader_source import open_rows
from share_actors.audit.statistics import Progress, no_progress
from share_actors.config import Config
from share_actors.errors import InvalidRequest
from share_actors.events.archives import STREAM, EventsArchived
from share_actors.events.catalog import Catalog
from share_actors.events.checkpoints.check_archive import Archive
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import Owner
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from share_actors.values import RequestContext


class Archived(NamedTuple):
    """What was archived: *removed* rows were removed now, and *position* is that of the record.

    *events* is 0 if nothing was old enough; there is no file then.
    """

    file: Path
    events: int = 0
    streams: int = 0
    first: int | None = None
    last: int | None = None
    file_sha256: str | None = None
    position: int | None = None
    removed: int = 0
    freed_bytes: int | None = None
    """How much smaller the file of the log became; None if it cannot become smaller, as a server's."""


def archive(
    config: Config,
    until: datetime,
    file: Path,
    by: RequestContext,
    *,
    keep: bool = False,
    progress: Progress = no_progress,
) -> Archived:
    """Archive what was deleted before *until* to *file*, and remove it from the log of *config*.

    *keep*: write and prove the file only. If *file* is an archive of this log already, go on from there: the
    choice of its events stays. Raises `LogError`, which names the holder, while a system uses the log;
    `ConfigError` without `audit.checkpoints`; and `InvalidRequest` for a file that is something else.
    """
    writer = CheckpointWriter.configured(config)
    with _owned(config) as (log, keeper):
        if not os.path.exists(file) and not _write(config, log, until, file, writer, progress):
            return Archived(file)
        held = archive_file.read_back(file, writer.key.public)
        stored = still_stored(config.log, config.log_path, file)
        digest = archive_file.digest_of(file)
        done = Archived(file, held.events, held.streams, held.first, held.last, digest)
        record = _record_of(log, digest)
        if keep:
            return done
        _check_here(file, stored, held, record)
        if record is None:
            record = _append(log, done, held, by)
        _sign(writer, log)
        with closing(Catalog.open(log, config.log, config.catalog_file)) as catalog:
            catalog.catch_up()  # it would not see the removed events, such as that a share was deleted
        with keeper.paused() if config.log.kind == "sqlite" else nullcontext():
            removed = remove(config.log, config.log_path, file, record.position, keeper.lease)
        done = done._replace(position=record.position, removed=removed)
    if config.log.kind == "sqlite":
        return done._replace(freed_bytes=shrink(config.log_path, progress))
    return done


@contextmanager
def _owned(config: Config) -> Iterator[tuple[Log, LeaseKeeper]]:
    """The log of *config*, which no other process may write to meanwhile."""
    owner = Owner(
        system=f"archive/{uuid4().hex}",
        namespace=config.namespace,
        home=str(config.home),
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    with closing(Log.open(config.log, config.log_path, create=False)) as log:
        keeper = LeaseKeeper(lease_store(config.log, config.log_path), owner)
        keeper.keep(log)
        yield log, keeper


def _write(
    config: Config,
    log: Log,
    until: datetime,
    file: Path,
    writer: CheckpointWriter,
    progress: Progress,
) -> bool:
    """Write *file*; returns whether there was something to archive."""
    with open_configured_reader(config) as reader:
        selection = select(reader, until, progress)
    if not selection.streams:
        return False
    _sign(writer, log)
    note = writer.directory.newest()
    assert note is not None
    basis = archive_file.Basis(note, writer.key.public, writer.key.public_text)
    with open_rows(config.log, config.log_path, named=False) as read:
        archive_file.write(file, read, selection.streams, until, basis)
    return True


def _sign(writer: CheckpointWriter, log: Log) -> None:
    """Have the checkpoints cover the whole log; raises `LogError` if the log is not theirs."""
    writer.write_all(log.rows)


def _record_of(log: Log, digest: str) -> Recorded | None:
    """The record of the archive with this digest; None if there is none yet. Its position is set."""
    position = 0
    while rows := log.notifications(position, 1_000):
        for row in rows:
            if row.topic == EventsArchived.topic:
                recorded = log.decode(row)
                if getattr(recorded.event, "file_sha256", None) == digest:
                    return recorded
        position = rows[-1].position
    return None


def _check_here(file: Path, stored: int, held: Archive, record: Recorded | None) -> None:
    """Raise `InvalidRequest` unless the log has all events of *file*, or a record of their removal."""
    if stored == held.events or record is not None:
        return
    raise InvalidRequest(
        f"{file}: the log has {stored} of its {held.events} events, and no record of this archive: it is of"
        " another log, or of another archive; nothing was changed; choose a new file",
        field="to",
        value=str(file),
    )


def _append(log: Log, done: Archived, held: Archive, by: RequestContext) -> Recorded:
    event = EventsArchived(
        file=done.file.name,
        file_sha256=done.file_sha256 or "",
        events=held.events,
        streams=held.streams,
        first=held.first,
        last=held.last,
        leaves_sha256=held.leaves_sha256,
        checkpoint_size=held.checkpoint.size,
        until=archive_file.until_of(done.file),
    )
    entries = [(_envelope(by), event)]
    [recorded] = asyncio.run(log.append(STREAM, log.version(STREAM), entries))
    return recorded


def _envelope(by: RequestContext) -> Envelope:
    return Envelope(
        command_id=None,
        fingerprint=None,
        correlation_id=by.request_id or f"archive-{uuid4().hex}",
        request_id=by.request_id,
        user_id=by.user_id,
        project_id=by.project_id,
        roles=tuple(by.roles),
        at=datetime.now(UTC),
        writer="log archive",
    )
