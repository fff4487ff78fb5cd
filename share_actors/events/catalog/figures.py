"""Figures of the log and the catalog for monitoring; reading them applies no events."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from share_actors.config import LogSettings
from share_actors.errors import ShareActorsError
from share_actors.events.catalog import sql
from share_actors.events.catalog.store import Store
from share_actors.events.log import Log
from share_actors.values import AsOf, utc_now
from share_actors.wire import sent_as_report

_LOG_SIZE = (
    "SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ? AND c.relkind = 'r' AND left(c.relname, 7) <> 'catalog'"
)
_SHARES = (
    "SELECT backend, status, SUM(n) AS n FROM {s}catalog_counts"
    " WHERE status NOT IN ('deleted', 'unmanaged') GROUP BY backend, status HAVING SUM(n) <> 0"
)


@sent_as_report
class Figures(NamedTuple):
    """Figures at one moment.

    *lag_s*: the age of the oldest event that the catalog has not applied. *disk_free* and *disk_size*: bytes
    of the file system with a SQLite log, else None. *shares*: as of *as_of*, by backend and status.
    """

    as_of: AsOf
    lag_s: float
    parked: int
    log_bytes: int
    disk_free: int | None
    disk_size: int | None
    shares: Mapping[tuple[str, str], int]


def read(log: Log, store: Store, as_of: AsOf, settings: LogSettings, path: Path) -> Figures:
    """The figures of *log* and its catalog, which is *as_of*; *path* is the file of a SQLite log."""
    on_disk = settings.kind == "sqlite" and path.exists()
    disk = shutil.disk_usage(path) if on_disk else None
    return Figures(
        as_of,
        _lag_s(log, as_of),
        len(store.rows(sql.Query(sql.PARKED, []))),
        _size_of_files(path) if settings.kind == "sqlite" else _size_of_tables(store, settings),
        None if disk is None else disk.free,
        None if disk is None else disk.total,
        {(r["backend"], r["status"]): int(r["n"]) for r in store.rows(sql.Query(_SHARES, []))},
    )


def _lag_s(log: Log, as_of: AsOf) -> float:
    rows = log.notifications(as_of.applied, 1) if as_of.applied < as_of.head else ()
    try:
        recorded = [log.decode(row) for row in rows]
    except ShareActorsError:  # its stream will be parked
        return 0.0
    return max((max(0.0, (utc_now() - r.envelope.at).total_seconds()) for r in recorded), default=0)


def _size_of_files(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _size_of_tables(store: Store, settings: LogSettings) -> int:
    [row] = store.rows(sql.Query(_LOG_SIZE, [settings.schema_name]))
    return int(row["bytes"])
