"""Whether a log still has the tables with which a process opened it: `log repartition` replaces them.

A process may be suspended meanwhile. What it knows of the tables decides what it reads when it wakes up: in
which of them a stream is, and whether a row may still appear before the last one. So it asks after each read
whether the tables are the same as when it opened the log. If so, they were the same during the read. A
process of a system need not ask while its lease is fresh, since only who has the lease replaces the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg.sql import SQL, Composed, Identifier, Literal

from share_actors.events.log.postgres.errors import LayoutChanged

Execute = Callable[[Composed], Any]
"""Runs a statement in a transaction of its own, and returns a cursor of tuples or mappings."""
_TABLE = SQL("SELECT to_regclass({name})::oid::bigint AS table")


class Layout:
    """The identity of the table *events* in *schema*, as *execute* finds it now."""

    def __init__(self, execute: Execute, schema: str, events: str) -> None:
        self._schema = schema
        name = Identifier(schema, events).as_string(None)
        self._statement = _TABLE.format(name=Literal(name))
        self._table = self._read(execute)

    def _read(self, execute: Execute) -> int | None:
        row = execute(self._statement).fetchone()
        [table] = row.values() if isinstance(row, dict) else row
        return None if table is None else int(table)

    def check(self, execute: Execute) -> None:
        """Raise `LayoutChanged` if it is another table now."""
        if self._read(execute) != self._table:
            raise LayoutChanged(
                f"the log in schema {self._schema} was divided anew while this process had it open, and what"
                " it reads may be incomplete: start the process again, with log.partitions as the log has it"
            )
