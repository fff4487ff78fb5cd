"""The removal of archived events from the tables of a log: all of an archive in one transaction, or none."""

from __future__ import annotations

import sqlite3
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import islice
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.checkpoints.check_archive import header_of, lines_of
from share_actors.events.log.archived_rows import COLUMNS, DEFINITION, TABLE, ArchivedRow
from share_actors.events.log.lease.lease import Lease
from share_actors.events.log.postgres.store import login
from share_actors.events.log.sqlite import file as sqlite_file

_BATCH = 500
_TIMEOUT_S = 30.0
_KEPT = "; nothing was removed"


class _Tables(NamedTuple):
    """An open transaction on the tables of a log; *many* is the parameter form of several numbers."""

    execute: Callable[[str, Sequence[Any]], Any]
    executemany: Callable[[str, Sequence[Sequence[Any]]], Any]
    prefix: str
    position: str
    mark: str
    among: str
    exists: str
    locked: str
    many: Callable[[list[Any]], Any]
    commit: Callable[[], object]


def remove(settings: LogSettings, path: Path, file: Path, archive: int, lease: Lease) -> int:
    """Remove the events in the archive *file* from the log, and keep their leaves; returns how many.

    *archive*: the position of its record. What was removed already is left out. Raises `LogError`, and
    removes nothing, if an event in the log is not that of the file, or if the log has another *lease*.
    """
    with _opened(settings, path) as tables:
        if not tables.execute(tables.exists, ()).fetchone()[0]:  # IF NOT EXISTS needs the privilege
            tables.execute(f"CREATE TABLE {tables.prefix}{TABLE} {DEFINITION}", ())
        removed = 0
        for rows in _batches(file, archive):
            positions = _present(tables, rows)
            present = [row for row in rows if row.position in positions]
            _keep(tables, present)
            removed += len(present)
        _check_lease(tables, lease)
        tables.commit()
    return removed


def _check_lease(tables: _Tables, lease: Lease) -> None:
    """Raise `LogError` if another system has taken the log over: this process was suspended for long."""
    query = (
        f"SELECT 1 FROM {tables.prefix}lease"
        f" WHERE system = {tables.mark} AND epoch = {tables.mark}{tables.locked}"
    )
    if tables.execute(query, (lease.owner.system, lease.epoch)).fetchone() is None:
        raise LogError(
            f"another system has taken over the log{_KEPT}; stop it and repeat the command"
        )


def still_stored(settings: LogSettings, path: Path, file: Path) -> int:
    """How many of the events in the archive *file* are in the log; raises `LogError` if one differs."""
    with _opened(settings, path) as tables:
        return sum(len(_present(tables, rows)) for rows in _batches(file, 0))


def _batches(file: Path, archive: int) -> Iterator[list[ArchivedRow]]:
    """The events of the file, which was verified, as rows of the table."""
    lines = lines_of(file)
    header_of(lines)
    rows = (_row(item, archive) for item in lines if not item.get("end"))
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _row(item: dict[str, Any], archive: int) -> ArchivedRow:
    digest = sha256(b64decode(item["state"])).hexdigest()
    columns = item["position"], item["stream"], item["version"], item["topic"]
    return ArchivedRow(*columns, digest, archive)


def _present(tables: _Tables, rows: list[ArchivedRow]) -> set[int]:
    """The positions of *rows* that are in the log; raises `LogError` if one has another event there."""
    query = (
        f"SELECT {tables.position}, originator_id, originator_version, topic, state"
        f" FROM {tables.prefix}stored_events WHERE {tables.position} {tables.among}"
    )
    expected = {row.position: row[:5] for row in rows}
    found = tables.execute(query, (tables.many([*expected]),)).fetchall()
    for *columns, state in found:
        digest = sha256(state).hexdigest() if isinstance(state, bytes) else None
        if (*columns, digest) != expected[columns[0]]:
            raise LogError(
                f"position {columns[0]} of the log does not have the event of the archive{_KEPT};"
                " run `share-actors log verify`"
            )
    return {row[0] for row in found}


def _keep(tables: _Tables, rows: list[ArchivedRow]) -> None:
    """Move *rows* to the table of archived events, and drop the snapshots of their streams."""
    marks = ", ".join([tables.mark] * len(ArchivedRow._fields))
    prefix, positions = tables.prefix, tables.many([row.position for row in rows])
    streams = tables.many(sorted({row.stream for row in rows}))
    tables.executemany(f"INSERT INTO {prefix}{TABLE} ({COLUMNS}) VALUES ({marks})", rows)
    where = f"{tables.position} {tables.among}"
    tables.execute(f"DELETE FROM {prefix}stored_events WHERE {where}", (positions,))
    where = f"originator_id {tables.among}"
    tables.execute(f"DELETE FROM {prefix}stored_snapshots WHERE {where}", (streams,))


# -- SQLite and PostgreSQL -----------------------------------------------------------------------
@contextmanager
def _opened(settings: LogSettings, path: Path) -> Iterator[_Tables]:
    """Begin a transaction; without `commit` nothing is changed."""
    with _sqlite(path) if settings.kind == "sqlite" else _postgres(settings) as tables:
        yield tables


@contextmanager
def _sqlite(path: Path) -> Iterator[_Tables]:
    try:
        connection = sqlite3.connect(
            sqlite_file.uri(path), uri=True, isolation_level=None, timeout=_TIMEOUT_S
        )
        with closing(connection):
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield _Tables(
                execute=connection.execute,
                executemany=connection.executemany,
                prefix="",
                position="rowid",
                mark="?",
                among="IN (SELECT value FROM json_each(?))",
                exists=f"SELECT count(*) FROM sqlite_master WHERE name = '{TABLE}'",
                locked="",
                many=dumps,
                commit=lambda: connection.execute("COMMIT"),
            )
    except sqlite3.Error as error:
        raise _failed(str(path), error) from None


@contextmanager
def _postgres(settings: LogSettings) -> Iterator[_Tables]:
    import psycopg  # noqa: PLC0415 - an optional package

    prefix = f'"{settings.schema_name}".'
    try:
        with closing(psycopg.connect(**login(settings))) as connection:
            cursor: Any = connection.cursor()
            cursor.execute(f"LOCK TABLE {prefix}stored_events IN EXCLUSIVE MODE")
            yield _Tables(
                execute=cursor.execute,
                executemany=cursor.executemany,
                prefix=prefix,
                position="notification_id",
                mark="%s",
                among="= ANY(%s)",
                exists=f"SELECT to_regclass('{prefix}{TABLE}') IS NOT NULL",
                locked=" FOR SHARE",
                many=list,
                commit=connection.commit,
            )
    except psycopg.Error as error:
        raise _failed(f"{settings.host}/{settings.database}", error) from None


def _failed(where: str, error: Exception) -> LogError:
    return LogError(
        f"{where}: archived events cannot be removed: {error}{_KEPT}; repeat the command"
    )
