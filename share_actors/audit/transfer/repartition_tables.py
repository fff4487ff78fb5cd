"""The tables of a PostgreSQL log, copied to tables for another number of partitions in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from share_actors.audit.statistics import PROGRESS_EVERY, Progress
from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.lease.lease import Lease
from share_actors.events.log.postgres.errors import explain
from share_actors.events.log.postgres.store import login

NEXT, BEFORE = "stored_events_next", "stored_events_before"
KEPT = "; nothing was changed"
_LOCK_TIMEOUT_S = 30
_FETCH = 2_000
Row = tuple[int, str, int, str, bytes]


@contextmanager
def open_tables(settings: LogSettings) -> Iterator[Tables]:
    """Begin a transaction; without `commit` nothing is changed."""
    import psycopg  # noqa: PLC0415 - an optional package

    limits = ("statement_timeout=0", "idle_in_transaction_session_timeout=0")
    connected = login(settings, *limits, f"lock_timeout={_LOCK_TIMEOUT_S}s")
    try:
        with closing(psycopg.connect(**connected)) as connection:
            yield Tables(connection, settings.schema_name)
    except psycopg.errors.InsufficientPrivilege as error:
        raise LogError(
            f"log.user {settings.user}: {str(error).strip()}{KEPT}; run the command as the owner of the log's"
            f" tables, who may create tables in schema {settings.schema_name}",
            field="log.user",
            value=settings.user,
        ) from None
    except psycopg.Error as error:
        raise LogError(f"{explain(settings, error)}{KEPT}", field="log.host") from None


class Tables:
    """An open transaction on the tables of a log."""

    def __init__(self, connection: Any, schema: str) -> None:
        from psycopg import sql  # noqa: PLC0415 - an optional package

        from share_actors.events.log.postgres import partition_tables  # noqa: PLC0415 - the same

        self._sql, self._layout = sql, partition_tables
        self._connection, self._schema = connection, schema
        self.commit = connection.commit

    def _run(self, text: str, *given: object, **names: str) -> Any:
        """Run a statement; *names* are those of tables in the schema, and sequences."""
        tables = {key: self._sql.Identifier(self._schema, name) for key, name in names.items()}
        return self._connection.execute(self._sql.SQL(text).format(**tables), given or None)

    def partitions(self) -> int:
        """The number of partitions now."""
        if not self.names(self._layout.EVENTS):
            raise LogError(
                f"schema {self._schema} has no log{KEPT}; start the system once, or correct log.schema_name",
                field="log.schema_name",
                value=self._schema,
            )
        return self._layout.recorded(self._connection.execute, self._schema)

    def names(self, events: str) -> tuple[str, ...]:
        """The table *events*, if it is there, and those of its partitions."""
        pattern = f"^{events}(_[0-9]+)?$"
        found = self._run(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ~ %s"
            " ORDER BY length(tablename), tablename",
            self._schema,
            pattern,
        )
        return tuple(name for (name,) in found)

    def lock(self) -> None:
        """Let nobody write, or divide the log at the same time; readers go on."""
        self._run("LOCK TABLE {events} IN EXCLUSIVE MODE", events=self._layout.EVENTS)

    def build(self, partitions: int) -> None:
        """Create the new tables with all rows."""
        events = self._layout.EVENTS
        self._run(
            "CREATE TABLE {new} (LIKE {events} INCLUDING DEFAULTS INCLUDING INDEXES)",
            new=NEXT,
            events=events,
        )
        if partitions > 1:
            self._layout.divide(self._connection.execute, self._schema, partitions, NEXT)
        for table in self.names(NEXT):
            self._grant(table)
        self._copy(partitions, events)
        for table in self.names(NEXT):
            self._run("ANALYZE {table}", table=table)

    def _copy(self, partitions: int, events: str) -> None:
        if partitions == 1:
            self._run("INSERT INTO {new} SELECT * FROM {events}", new=NEXT, events=events)
            return
        for number in range(partitions):
            chosen = self._layout.partition_sql(partitions).as_string(None)
            self._run(
                f"INSERT INTO {{new}} SELECT * FROM {{events}} WHERE {chosen} = {number}",
                new=self._layout.table_of(number, NEXT),
                events=events,
            )

    def _grant(self, table: str) -> None:
        """Give everybody the privileges on *table* that they have on the present one."""
        granted = self._run(
            "SELECT r.rolname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
            " LEFT JOIN pg_roles r ON r.oid = a.grantee"
            " WHERE c.oid = to_regclass(%s) AND a.grantee <> c.relowner",
            f'"{self._schema}".{self._layout.EVENTS}',
        )
        for role, privilege in granted.fetchall():
            to = self._sql.SQL("PUBLIC") if role is None else self._sql.Identifier(role)
            statement = self._sql.SQL(f"GRANT {privilege} ON {{table}} TO {{role}}")
            name = self._sql.Identifier(self._schema, table)
            self._connection.execute(statement.format(table=name, role=to))

    def compare(self, progress: Progress) -> tuple[int, int, str]:
        """The numbers of events and streams, and the digest; raises `LogError` if a row differs."""
        digest, streams, events = sha256(), set[str](), 0
        for old, new in zip_longest(self._rows(self._layout.EVENTS), self._rows(NEXT)):
            if old != new:
                row = old or new
                raise LogError(
                    f"position {row[0]}, stream {row[1]} version {row[2]}: the copy differs{KEPT};"
                    " run `share-actors log verify`"
                )
            digest.update(repr(old).encode())
            streams.add(old[1])
            events += 1
            if events % PROGRESS_EVERY == 0:
                progress(events, 0)
        return events, len(streams), digest.hexdigest()

    def _rows(self, table: str) -> Iterator[Row]:
        statement = self._sql.SQL(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM {table}"
            " ORDER BY notification_id"
        )
        with self._connection.cursor(name=f"rows_of_{table}") as cursor:
            cursor.itersize = _FETCH
            yield from cursor.execute(
                statement.format(table=self._sql.Identifier(self._schema, table))
            )

    def switch(self, partitions: int) -> None:
        """Give the new tables the names of the present ones, which are kept under other names."""
        events = self._layout.EVENTS
        for names, old, new in (
            (self.names(events), events, BEFORE),
            (self.names(NEXT), NEXT, events),
        ):
            for name in names:
                renamed = self._sql.Identifier(name.replace(old, new, 1))
                statement = self._sql.SQL("ALTER TABLE {table} RENAME TO {name}")
                table = self._sql.Identifier(self._schema, name)
                self._connection.execute(statement.format(table=table, name=renamed))
        self._run(
            "ALTER SEQUENCE {sequence} OWNED BY {events}.notification_id",
            sequence=f"{events}_notification_id_seq",
            events=events,
        )
        self._layout.record(self._connection.execute, self._schema, partitions)
        if partitions > 1:
            self._grant(self._layout.META)

    def check_lease(self, lease: Lease) -> None:
        """Raise `LogError` if another system has taken the log over: this process was suspended for long."""
        query = "SELECT 1 FROM {lease} WHERE system = %s AND epoch = %s FOR SHARE"
        if self._run(query, lease.owner.system, lease.epoch, lease="lease").fetchone() is None:
            raise LogError(
                f"another system has taken over the log{KEPT}; stop it and repeat the command"
            )

    def drop(self, names: tuple[str, ...]) -> None:
        """Drop tables from before an earlier change."""
        for name in reversed(names):  # those that inherit first
            self._run("DROP TABLE {table}", table=name)
