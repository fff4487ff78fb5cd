"""The table of the lease: one row in the log's database, apart from the streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from share_actors.events.log.lease.lease import Lease, Owner

COLUMNS = "system, namespace, home, host, pid, epoch, started_at, beat_at"
DEFINITION = (
    "(id INTEGER PRIMARY KEY CHECK (id = 1), system TEXT NOT NULL, namespace TEXT NOT NULL,"
    " home TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " started_at DOUBLE PRECISION NOT NULL, beat_at DOUBLE PRECISION NOT NULL)"
)


def statements(table: str, now: str, mark: str) -> dict[str, str]:
    """The SQL by purpose; *now* is the expression of the present time, *mark* that of a parameter."""
    values = ", ".join([mark] * 6)
    return {
        "create": f"CREATE TABLE IF NOT EXISTS {table} {DEFINITION}",
        "read": f"SELECT {COLUMNS}, {now} FROM {table}",
        "take": (
            f"INSERT INTO {table} (id, {COLUMNS}) VALUES (1, {values}, {now}, {now})"
            " ON CONFLICT (id) DO UPDATE SET system = excluded.system,"
            " namespace = excluded.namespace, home = excluded.home, host = excluded.host,"
            " pid = excluded.pid, epoch = excluded.epoch, started_at = excluded.started_at,"
            f" beat_at = excluded.beat_at WHERE {table}.epoch = excluded.epoch - 1"
        ),
        "beat": (
            f"UPDATE {table} SET beat_at = {now}, host = {mark}, pid = {mark}"
            f" WHERE system = {mark} AND epoch = {mark}"
        ),
        "end": f"UPDATE {table} SET beat_at = 0 WHERE system = {mark} AND epoch = {mark}",
    }


def lease_of(row: Sequence[Any]) -> Lease:
    """The lease of a row."""
    system, namespace, home, host, pid, epoch, started_at, beat_at, *_ = row
    return Lease(Owner(system, namespace, home, host, pid), epoch, started_at, beat_at)


def take_parameters(owner: Owner, epoch: int) -> tuple[Any, ...]:
    """The parameters of the statement `take`."""
    return owner.system, owner.namespace, owner.home, owner.host, owner.pid, epoch


def beat_parameters(owner: Owner, epoch: int) -> tuple[Any, ...]:
    """The parameters of the statement `beat`."""
    return owner.host, owner.pid, owner.system, epoch
