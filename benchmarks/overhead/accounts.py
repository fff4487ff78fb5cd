"""What a run used: processor time by kind of process, commits, rows and bytes of its SQLite log."""

from __future__ import annotations

import sqlite3
import struct
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

_KINDS = {
    "ManagerRayActor": "manager",
    "ShareHostRayActor": "host",
    "CatalogRayActor": "catalog",
    "BareRouter": "manager",
    "BareHost": "host",
}


class Account(NamedTuple):
    """Totals at one moment: seconds of processor time by kind of process, commits, rows, bytes."""

    seconds: Mapping[str, float]
    commits: int
    rows: int
    size: int

    @classmethod
    def now(cls, log: Path) -> Account:
        """The account of this process, all processes below it, and the log at *log*."""
        with sqlite3.connect(f"file:{log}?mode=ro", uri=True) as connection:
            rows, size = connection.execute(
                "SELECT count(*), sum(length(state)) FROM stored_events"
            ).fetchone()
        connection.close()
        return cls(seconds_by_kind(), _commits(log), rows, size or 0)

    def each(self, before: Account, commands: int) -> dict[str, float]:
        """What each of *commands* used since *before*: microseconds, commits, rows, bytes."""
        used = {k: self.seconds[k] - before.seconds.get(k, 0.0) for k in self.seconds}
        each = {f"cpu_us_{kind}": 1e6 * used[kind] / commands for kind in sorted(used)}
        return {
            "cpu_us": 1e6 * sum(used.values()) / commands,
            **each,
            "commits": (self.commits - before.commits) % 2**32 / commands,
            "events": (self.rows - before.rows) / commands,
            "bytes": (self.size - before.size) / commands,
        }


def _commits(log: Path) -> int:
    """Transactions since the log was opened: `iChange` in the header of SQLite's WAL index.

    With `synchronous = FULL` each of them is one fsync of the write-ahead log.
    """
    with log.with_name(f"{log.name}-shm").open("rb") as index:
        (changes,) = struct.unpack("=I", index.read(12)[8:])
    return int(changes)


def seconds_by_kind() -> dict[str, float]:
    """Processor seconds of the client (this process), the actors by kind, and the rest of Ray."""
    me = psutil.Process()
    seconds: defaultdict[str, float] = defaultdict(float)
    for process in (me, *me.children(recursive=True)):
        try:
            times, title = process.cpu_times(), " ".join(process.cmdline()[:1])
        except psutil.NoSuchProcess:
            continue
        kind = next((kind for name, kind in _KINDS.items() if name in title), "ray")
        seconds["client" if process == me else kind] += times.user + times.system
    return dict(seconds)
