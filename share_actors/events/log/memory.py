"""A log store in this process's memory, for tests: the library's plain-object (POPO) recorders.

The `Log` above it is the one that runs on databases: codec, append order, group commit and state snapshots
are the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, TypeVar

from eventsourcing.persistence import (
    ApplicationRecorder,
    InterfaceError,
    Notification,
    StoredEvent,
    Subscription,
)
from eventsourcing.popo import POPOApplicationRecorder, POPOFactory
from eventsourcing.utils import Environment

from share_actors.config import LogSettings
from share_actors.events.log.infrastructure import LogStore, common_environment

T = TypeVar("T")


class LogMemory:
    """The storage of in-memory logs: all recorded rows, shared by any number of `Log` objects."""

    def __init__(self) -> None:
        self.events = POPOApplicationRecorder()
        self.snapshots = POPOApplicationRecorder()

    def open(self, settings: LogSettings) -> LogStore:
        """Return a store for one `Log`; closing it leaves the rows to the others."""
        return LogStore(_MemoryFactory(self, settings), lambda error: f"log in memory: {error}")


class _MemoryFactory(POPOFactory):
    """Creates recorders of one `LogMemory` until it is closed."""

    def __init__(self, memory: LogMemory, settings: LogSettings) -> None:
        environment = common_environment("eventsourcing.popo", settings, create=True)
        super().__init__(Environment("", environment))
        self._memory = memory
        self._closed = Event()

    def application_recorder(self) -> ApplicationRecorder:
        return _OpenRecorder(self._memory.events, self._closed)

    def aggregate_recorder(self, purpose: str = "events") -> ApplicationRecorder:
        shared = self._memory.events if purpose == "events" else self._memory.snapshots
        return _OpenRecorder(shared, self._closed)

    def close(self) -> None:
        self._closed.set()


class _OpenRecorder(ApplicationRecorder):
    """A shared recorder for one open log: closed with that log, and sorted by version."""

    def __init__(self, shared: POPOApplicationRecorder, closed: Event) -> None:
        self._shared, self._closed = shared, closed

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        return self._while_open(lambda: self._shared.insert_events(stored_events, **kwargs))

    def select_events(
        self,
        originator_id: Any,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows = self._while_open(lambda: self._shared.select_events(originator_id, gt=gt, lte=lte))
        return sorted(rows, key=lambda row: row.originator_version, reverse=desc)[:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        return self._while_open(
            lambda: self._shared.select_notifications(
                start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )
        )

    def max_notification_id(self) -> int | None:
        return self._while_open(self._shared.max_notification_id)

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return self._shared.subscribe(gt, topics)

    def _while_open(self, job: Callable[[], T]) -> T:
        if self._closed.is_set():
            raise InterfaceError("it is closed")
        return job()
