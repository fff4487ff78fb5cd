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
from psycopg.sql import SQL, Composed, Identifier, Literal

from share_actors.events.log.lease.guarded import LeaseGuard
from share_actors.events.log.partitions import partition_of
from share_actors.events.log.postgres import partition_tables
from share_actors.events.log.postgres.connection import with_retries
from share_actors.events.log.postgres.horizon import Horizon, claiming
from share_actors.events.log.postgres.recorder import BoundedFactory, BoundedRecorder, bounded
from share_actors.events.log.postgres.store import STATEMENT_TIMEOUT_S

_WAIT_S = 2.0 * STATEMENT_TIMEOUT_S
"""How long a reader waits for older transactions, which the server ends earlier."""
_STATEMENT_ROWS = 2_048
_STATEMENT_BYTES = 4 * 1024 * 1024
"""More rows or bytes are written by several statements of one transaction."""
_HELD = SQL(
    ", held AS MATERIALIZED (SELECT 1 FROM {schema}.lease, claim"
    " WHERE system = {system} AND epoch = {epoch} FOR SHARE OF lease)"
)
_INSERT = SQL(
    " INSERT INTO {table} (originator_id, originator_version, topic, state)"
    " SELECT row.stream, row.version, row.topic, row.state FROM {last} CROSS JOIN"
    " unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[])"
    " WITH ORDINALITY AS row (stream, version, topic, state, number)"
    " ORDER BY row.number RETURNING notification_id"
)


class PartitionRecorder(BoundedRecorder):
    """Writes the streams of one partition, with a single statement that is a transaction of its own.

    The statement takes the turn of the partition and a claim (see `horizon`) before it takes positions. So no
    transaction is open while this process works, and no commit notifies channels, for which all transactions
    of the database would wait for each other.
    """

    def __init__(self, datastore: Any, events: str, partition: int) -> None:
        table = partition_tables.table_of(partition, events)
        super().__init__(datastore, events_table_name=table)
        self._claiming = claiming(datastore.schema, events, partition)
        self._statement = self._inserting(None)

    def _inserting(self, guard: LeaseGuard | None) -> Composed:
        table = Identifier(self.datastore.schema, self.events_table_name)
        parts: list[Any] = [self._claiming]
        if guard is not None:
            schema = Identifier(self.datastore.schema)
            system, epoch = Literal(guard.system), Literal(guard.epoch)
            parts.append(_HELD.format(schema=schema, system=system, epoch=epoch))
        last = Identifier("claim" if guard is None else "held")
        return Composed([*parts, _INSERT.format(table=table, last=last)])

    def require_lease(self, guard: LeaseGuard) -> None:
        """Write only while the log has this lease. Its row is locked until the end of the transaction."""
        self._statement = self._inserting(guard)
        self.guard = guard

    def _insert_rows(self, rows: Sequence[StoredEvent]) -> Sequence[int]:
        chunks = list(bounded(rows, _STATEMENT_ROWS, _STATEMENT_BYTES))
        with self.datastore.get_connection() as connection:
            self._insert_events(connection.cursor(), ())
            if len(chunks) == 1:
                return self._insert_chunk(connection, chunks[0])
            ids: list[int] = []
            with connection.transaction():
                for chunk in chunks:
                    found = self._insert_chunk(connection, chunk)
                    if not found:
                        break  # another system has the lease
                    ids += found
            return ids

    def _insert_chunk(self, connection: Any, rows: Sequence[StoredEvent]) -> list[int]:
        columns = (
            [str(row.originator_id) for row in rows],
            [row.originator_version for row in rows],
            [row.topic for row in rows],
            [row.state for row in rows],
        )
        found = connection.execute(self._statement, columns, prepare=True)
        return [row["notification_id"] for row in found.fetchall()]


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

    def application_recorder(self) -> ApplicationRecorder:
        """The recorder of the log; creates its tables if the environment says so."""
        number = int(self.env.get("SHARE_ACTORS_PARTITIONS") or 0)
        recorder = PartitionedRecorder(self.datastore, partition_tables.EVENTS, number)
        if self.env_create_table():
            recorder.create_table()
        return recorder
