"""All metrics, declared once: the exporter, the dashboard, the alert rules and the documentation use these.

Names follow Prometheus: base units in the name, and `_total` for counters. No label has ids of shares,
projects or users, so the number of series does not grow with them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PREFIX = "share_actors_"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0)
"""Upper bounds of the buckets of each histogram, in seconds."""


class Metric(NamedTuple):
    """A metric: its name, whether it only grows, its labels, and what it is in one sentence."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names that its samples have."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def _counter(name: str, labels: str, text: str) -> Metric:
    return Metric(f"{PREFIX}{name}_total", "counter", tuple(labels.split()), text)


def _gauge(name: str, labels: str, text: str) -> Metric:
    return Metric(PREFIX + name, "gauge", tuple(labels.split()), text)


def _seconds(name: str, labels: str, text: str) -> Metric:
    return Metric(f"{PREFIX}{name}_seconds", "histogram", tuple(labels.split()), text)


# -- counted in each share actor -------------------------------------------------------------------
COMMANDS = _counter(
    "commands",
    "actor kind outcome",
    "Commands that were answered: accepted or done once recorded, or the code of the error.",
)
REPLY_SECONDS = _seconds(
    "command_reply",
    "actor kind",
    "Time from the arrival of a command in its share actor until it is recorded or refused.",
)
OUTCOMES = _counter(
    "outcomes", "actor kind outcome", "Recorded commands whose work has ended: done or failed."
)
OUTCOME_SECONDS = _seconds(
    "command_outcome", "actor kind", "Time from the record of a command until its work has ended."
)
ATTEMPTS = _counter(
    "attempts",
    "actor backend effect outcome",
    "Attempts that ended: done, or how they failed (failed, refused, transient, bug, unknown).",
)
ATTEMPT_SECONDS = _seconds(
    "attempt", "actor backend effect", "Time of an attempt, with the wait for a thread."
)
COMMIT_SECONDS = _seconds("log_commit", "actor", "Time of a transaction of the log.")
PENDING = _gauge(
    "pending_work", "actor backend", "Shares and share servers whose work has not ended."
)
OLDEST_PENDING = _gauge(
    "pending_work_oldest_seconds", "actor backend", "Age of the oldest work that has not ended."
)
CALLS_WAITING = _gauge(
    "driver_calls_waiting", "actor backend", "Driver calls that wait for a thread."
)
CALLS_HUNG = _gauge(
    "driver_calls_hung", "actor", "Driver calls past their deadline that still hold a thread."
)
SNAPSHOT_FAILURES = _counter(
    "state_snapshot_failures", "actor", "State snapshots that could not be written."
)

# -- seen by the manager ---------------------------------------------------------------------------
ACTOR_UP = _gauge("actor_up", "actor", "1 if the share actor answers, else 0.")
ACTOR_ENTITIES = _gauge("actor_entities", "actor", "Active shares and share servers.")
ACTOR_WAITING = _gauge(
    "actor_commands_waiting", "actor", "Commands without a reply, also those in the manager."
)
NODES = _gauge("nodes", "state", "Nodes of the Ray cluster: alive, or silent since they were lost.")
BACKEND_UP = _gauge("backend_up", "backend", "1 if the backend is up, else 0.")
BACKEND_PROBLEMS = _gauge(
    "backend_problems", "backend", "Problems of what serves the shares of a backend that is up."
)
POOL_TOTAL = _gauge("pool_capacity_bytes", "backend pool", "Total capacity of a pool.")
POOL_FREE = _gauge("pool_free_bytes", "backend pool", "Free capacity of a pool.")
POOL_ALLOCATED = _gauge(
    "pool_allocated_bytes", "backend pool", "Capacity of a pool that is allocated."
)
UNREACHABLE = _gauge(
    "shares_not_activated",
    "",
    "Shares with pending work that cannot be activated (`status` says why).",
)
MANAGER_START = _gauge(
    "manager_start_time_seconds", "", "When the manager started, in seconds since 1970."
)
COLLECTED_AT = _gauge(
    "collected_timestamp_seconds", "", "When these figures were collected, in seconds since 1970."
)
BUILD = _gauge("build_info", "version", "1, for the version of this package.")

# -- read by the catalog ---------------------------------------------------------------------------
LOG_EVENTS = _counter(
    "log_events",
    "",
    "The position of the last event of the log: the number of those ever recorded.",
)
LOG_BYTES = _gauge("log_size_bytes", "", "Size of the log: its files, or its tables and indexes.")
LOG_DISK_FREE = _gauge(
    "log_disk_free_bytes", "", "Free space of the file system with the log (SQLite only)."
)
LOG_DISK_SIZE = _gauge(
    "log_disk_size_bytes", "", "Size of the file system with the log (SQLite only)."
)
CATALOG_LAG = _gauge("catalog_lag_events", "", "Events that the catalog has not applied.")
CATALOG_LAG_SECONDS = _gauge(
    "catalog_lag_seconds", "", "Age of the oldest event that the catalog has not applied."
)
PARKED = _gauge("catalog_parked_streams", "", "Streams that the catalog cannot follow.")
SHARES = _gauge("shares", "backend status", "Shares that were not deleted or unmanaged.")

METRICS: tuple[Metric, ...] = tuple(
    sorted(value for value in globals().values() if isinstance(value, Metric))
)
"""All metrics, by name."""
