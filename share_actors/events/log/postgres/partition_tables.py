"""The tables of a partitioned log: `stored_events` has no rows itself, and all partitions inherit from it.

So every statement that reads `stored_events` reads the whole log. What divides the streams is in the table
`log_partitions`, which a log with one partition does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg.sql import SQL, Composed, Identifier, Literal

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.partitions import MAX_PARTITIONS

EVENTS = "stored_events"
META = "log_partitions"
HASH = "sha256/4"
"""The name of `partition_of`: the first 4 bytes of SHA-256 of the name, modulo the number of partitions."""
_PARTITION = SQL(
    "mod(('x' || encode(substr(sha256(convert_to(originator_id, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint,"
    " {partitions})"
)
_OPTIONS = SQL(
    "autovacuum_enabled = true, autovacuum_vacuum_threshold = 100000000,"
    " autovacuum_vacuum_scale_factor = 0.5, autovacuum_analyze_threshold = 1000,"
    " autovacuum_analyze_scale_factor = 0.01"
)
"""Those of the library's table: rows are only added."""
Execute = Callable[..., Any]


def partition_sql(partitions: int) -> Composed:
    """`partition_of` of the column `originator_id`, as SQL."""
    return _PARTITION.format(partitions=Literal(partitions))


def table_of(partition: int, events: str = EVENTS) -> str:
    """The name of the table of a partition."""
    return f"{events}_{partition}"


def recorded(execute: Execute, schema: str) -> int:
    """The number of partitions of the log in *schema*; raises `LogError` if they can't be read."""
    found = execute("SELECT to_regclass(%s)", (f'"{schema}".{META}',)).fetchone()
    if found[0] is None:
        return 1
    statement = SQL("SELECT partitions, hash FROM {meta}").format(meta=Identifier(schema, META))
    row = execute(statement).fetchone()
    if row is None or row[1] != HASH or not 1 < row[0] <= MAX_PARTITIONS:
        raise LogError(
            f"schema {schema}: the table {META} has {row}, which this version does not know: upgrade"
            " share_actors, or restore the table from a backup",
            field="log.schema_name",
            value=schema,
        )
    return int(row[0])


def check(settings: LogSettings, found: int) -> None:
    """Raise `LogError` if the log has another number of partitions than *settings*."""
    if found != settings.partitions:
        raise LogError(
            f"log.partitions is {settings.partitions}, and the log in schema {settings.schema_name} has"
            f" {found}: set log.partitions = {found}, or stop the system and run"
            f" `share-actors log repartition --partitions {settings.partitions}`",
            field="log.partitions",
            value=settings.partitions,
        )


def divide(execute: Execute, schema: str, partitions: int, events: str = EVENTS) -> None:
    """Create the tables of *partitions* that inherit from the empty table *events*."""
    parent = Identifier(schema, events)
    for number in range(partitions):
        execute(
            SQL(
                "CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING INDEXES,"
                " CONSTRAINT of_partition CHECK ({hash} = {number})) INHERITS ({parent}) WITH ({options})"
            ).format(
                table=Identifier(schema, table_of(number, events)),
                parent=parent,
                hash=partition_sql(partitions),
                number=Literal(number),
                options=_OPTIONS,
            )
        )
    execute(
        SQL("ALTER TABLE {parent} ADD CONSTRAINT in_partitions CHECK (false) NO INHERIT").format(
            parent=parent
        )
    )


def record(execute: Execute, schema: str, partitions: int) -> None:
    """Record the number of partitions as part of the log."""
    meta = Identifier(schema, META)
    execute(SQL("DROP TABLE IF EXISTS {meta}").format(meta=meta))
    if partitions > 1:
        execute(
            SQL("CREATE TABLE {meta} (partitions INT NOT NULL, hash TEXT NOT NULL)").format(
                meta=meta
            )
        )
        insert = SQL("INSERT INTO {meta} VALUES (%s, %s)").format(meta=meta)
        execute(insert, (partitions, HASH))
