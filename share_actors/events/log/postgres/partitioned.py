"""The recorder of a partitioned log: a table and a writing transaction for each partition, and one order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    OperationalError,
    StoredEvent,
)
from psycopg.sql import Composed

from share_actors.events.log.lease.guarded import LeaseGuard
from share_actors.events.log.partitions import partition_of
from share_actors.events.log.postgres import partition_tables
from share_actors.events.log.postgres.connection import with_retries
from share_actors.events.log.postgres.horizon import Horizon, claiming
from share_actors.events.log.postgres.layout import Layout
from share_actors.events.log.postgres.recorder import BoundedFactory, BoundedRecorder
from share_actors.events.log.postgres.store import STATEMENT_TIMEOUT_S

_WAIT_S = 2.0 * STATEMENT_TIMEOUT_S
"""How long a reader waits for older transactions, which the server ends earlier."""


class PartitionRecorder(BoundedRecorder):
    """Writes the streams of one partition. A statement also takes a claim (see `horizon`) in its turn."""

    row_before_writing = "claim"

    def __init__(self, datastore: Any, events: str, partition: int) -> None:
        self._events, self._partition = events, partition
        table = partition_tables.table_of(partition, events)
        super().__init__(datastore, events_table_name=table)

    def _before_writing(self) -> Composed:
        return claiming(self.datastore.schema, self._events, self._partition)


class PartitionedRecorder(BoundedRecorder):
    """Reads the whole log in its order, and each stream in its partition; the `partitions` write."""

    def __init__(self, datastore: Any, events_table_name: str, partitions: int) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self._recorders = [
            PartitionRecorder(datastore, events_table_name, number) for number in range(partitions)
        ]
        self.partitions: Sequence[ApplicationRecorder] = self._recorders
        self._horizon = Horizon(datastore.schema, events_table_name)

    def _create_table(self, curs: Any) -> None:
        """Create the tables in one transaction; an earlier start may have been killed after it."""
        super()._create_table(curs)
        schema, number = self.datastore.schema, len(self._recorders)
        curs.execute("SELECT to_regclass(%s) AS found", [f'"{schema}".{partition_tables.META}'])
        if curs.fetchone()["found"] is None:
            partition_tables.divide(curs.execute, schema, number, self.events_table_name)
            partition_tables.record(curs.execute, schema, number)

    def require_lease(self, guard: LeaseGuard) -> None:
        """Write only while the log has this lease."""
        self.guard = guard
        for recorder in self._recorders:
            recorder.require_lease(guard)

    def require_layout(self, layout: Layout) -> None:
        """Read only while the log has these tables."""
        super().require_layout(layout)
        for recorder in self._recorders:
            recorder.require_layout(layout)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Refuse: rows of several partitions would not be written together."""
        raise TypeError("a partitioned log is written by the recorders of its partitions")

    def end_doubtful_sessions(self) -> None:
        """End the sessions of all partitions whose commit got no reply."""
        for recorder in self._recorders:
            recorder.end_doubtful_sessions()

    def select_events(self, originator_id: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        """The events of a stream, as in the library."""
        partition = partition_of(str(originator_id), len(self._recorders))
        return self._recorders[partition].select_events(originator_id, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        **kwargs: Any,
    ) -> Sequence[Notification]:
        """Events in the order of the log, up to where it is final, and at least those recorded by now."""

        def select() -> Sequence[Notification]:
            final = self._horizon.final  # before the rows are read: another thread may move it on
            select = super(PartitionedRecorder, self).select_notifications
            rows = select(start, limit, stop, topics, **kwargs)
            # as a condition of the statement it would make the server sort all rows
            return [row for row in rows if row.id <= final]

        rows = select() if (start or 0) < self._horizon.final else ()
        if len(rows) == limit:
            return rows
        self._wait()
        return select()

    def _wait(self) -> None:
        def execute(statement: Composed) -> Any:
            with self.datastore.get_connection() as connection:
                return connection.execute(statement)

        def wait() -> int:
            self.end_doubtful_sessions()
            return self._horizon.wait(execute, _WAIT_S)

        try:
            with_retries(wait)
        except TimeoutError as error:
            raise OperationalError(str(error)) from None


class PartitionedFactory(BoundedFactory):
    """The factory of these recorders, for the number of partitions in its environment."""

    def _new_recorder(self) -> BoundedRecorder:
        """The recorder, whose tables are created if the environment says so."""
        number = int(self.env.get("SHARE_ACTORS_PARTITIONS") or 0)
        recorder = PartitionedRecorder(self.datastore, partition_tables.EVENTS, number)
        if self.env_create_table():
            recorder.create_table()
        return recorder
