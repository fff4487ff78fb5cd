"""How far the order of a partitioned log is final: nothing will be recorded at or before that position.

Positions come from one sequence, and transactions of different partitions end in any order, so a row may
appear before one that was already there. Therefore each writing transaction first takes a *claim*: an
advisory lock whose key is the last position that the sequence had given by then, so all its own are greater.
The server frees it when the transaction has ended. A reader (1) reads the position of the last row, (2) then
waits until no claim is less than that, and (3) then reads the rows up to it. docs/design.md has the argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

from psycopg.sql import SQL, Composed, Identifier, Literal

Execute = Callable[[Composed], Any]
"""Runs a statement in a transaction of its own, and returns a cursor of tuples or mappings."""
_MODULUS = 2**31
"""A key of a lock has 31 bits for the position."""
_TURN = "turn"
_CLAIM = "claim"
_READ = SQL(
    "SELECT (SELECT coalesce(max(notification_id), 0) FROM {table}) AS last,"
    " (SELECT coalesce(array_agg(objid::bigint), '{{}}') FROM pg_locks"
    " WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = {key}::bigint::oid"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS claims"
)
_PAUSES_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032)


class Seen(NamedTuple):
    """The position of the last row, and the greatest one before which nothing can be recorded any more."""

    last: int
    final: int


def key_of(schema: str, purpose: str) -> int:
    """The first key, of 32 bits with a sign, of the locks for *purpose* in a schema."""
    name = f"share-actors log {purpose} {schema}".encode()
    return int.from_bytes(sha256(name).digest()[:4], "big", signed=True)


def turn(schema: str, partition: int = 0) -> Composed:
    """The common table expression `turn`, which has one row, and which a statement reads before it writes.

    It waits until no other transaction writes to the *partition*, or to a log without partitions.
    """
    return SQL(
        "WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock({turn}, {partition}))"
    ).format(turn=Literal(key_of(schema, _TURN)), partition=Literal(partition))


def claiming(schema: str, table: str, partition: int) -> Composed:
    """The expressions `turn`, and `claim`, which has one row too and is to be read in its place."""
    return SQL(
        "{turn}, claim AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared({claim},"
        " mod(coalesce(pg_sequence_last_value({sequence}::regclass), 0), {modulus})::int) FROM turn)"
    ).format(
        turn=turn(schema, partition),
        claim=Literal(key_of(schema, _CLAIM)),
        sequence=Literal(f'"{schema}"."{table}_notification_id_seq"'),
        modulus=Literal(_MODULUS),
    )


class Horizon:
    """Reads how far the order of the log in *table* of *schema* is final."""

    def __init__(self, schema: str, table: str) -> None:
        self._statement = _READ.format(
            table=Identifier(schema, table),
            key=Literal(key_of(schema, _CLAIM) % 2**32),
        )
        self.final = 0
        """The greatest position that is known to be final; it never decreases."""
        self._lock = Lock()

    def read(self, execute: Execute) -> Seen:
        """What is final now."""
        row = execute(self._statement).fetchone()
        last, claims = row.values() if isinstance(row, dict) else row
        final = min([last, *(position_of(claim, last) for claim in claims)])
        with self._lock:  # an answer of another thread may be newer
            self.final = max(self.final, final)
            return Seen(last, self.final)

    def wait(self, execute: Execute, timeout_s: float) -> int:
        """Wait until all that was recorded before this call is final, and return its last position.

        Raises `TimeoutError` if a transaction that is older takes longer than *timeout_s*.
        """
        seen, until = self.read(execute), time.monotonic() + timeout_s
        pauses: Sequence[float] = _PAUSES_S
        while self.final < seen.last:
            if time.monotonic() > until:
                raise TimeoutError(
                    f"a transaction that began before position {seen.last} was recorded has not ended"
                    f" for {timeout_s:g} s"
                )
            time.sleep(pauses[0])
            pauses = pauses[1:] or pauses
            self.read(execute)
        return seen.last


def position_of(claim: int, near: int) -> int:
    """The position whose remainder is *claim*, nearest to *near*."""
    ahead = (claim - near) % _MODULUS
    return near + ahead - (_MODULUS if ahead >= _MODULUS // 2 else 0)
