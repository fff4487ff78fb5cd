"""The bare application: two Ray actors in a row, and SQLite; what a command costs without the domain.

A client's items go to `BareRouter` and from there to `BareHost`, gathered on both ways as the system gathers
its commands. A host writes the same number of rows with the same number of bytes, in the same two
transactions an item: what was requested, then the outcome.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import ray

from share_actors.actors.messaging.coalescer import Coalescer, at_once

_INSERT = "INSERT INTO stored_events VALUES (?, ?, ?, ?)"
_SCHEMA = (
    "CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER, topic TEXT, state BLOB,"
    " PRIMARY KEY (originator_id, originator_version))"
)

Row = tuple[str, int, str, bytes]


class Item(NamedTuple):
    """One command: its stream and the version that it starts at, and how much it writes.

    It writes *rows* rows of *size* bytes, all but the last in its first transaction.
    """

    stream: str
    version: int
    body: bytes
    rows: int
    size: int

    def written(self) -> tuple[list[Row], list[Row]]:
        """The rows of both transactions."""
        rows = [
            (self.stream, self.version + n, "bench.happened:1", b"x" * self.size)
            for n in range(self.rows)
        ]
        return rows[:-1], rows[-1:]


class Writer:
    """A thread that writes what was given to it during its last commit in one transaction."""

    def __init__(self, path: Path) -> None:
        self._queue: SimpleQueue[tuple[list[Row], asyncio.Future[None]]] = SimpleQueue()
        self._path = path
        Thread(target=self._run, daemon=True).start()

    def write(self, rows: list[Row]) -> asyncio.Future[None]:
        """Queue *rows*; the future is done when they are durable."""
        future = asyncio.get_running_loop().create_future()
        self._queue.put((rows, future))
        return future

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=60)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        while True:
            batch = [self._queue.get()]
            try:
                while True:
                    batch.append(self._queue.get_nowait())
            except Empty:
                pass
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, [row for rows, _ in batch for row in rows])
            connection.execute("COMMIT")
            loop = batch[0][1].get_loop()
            loop.call_soon_threadsafe(_settle, [future for _, future in batch])


def _settle(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


class BareHost:
    """Stands for a share host: two durable transactions a command."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path)

    async def submit(self, items: list[Item]) -> list[int]:
        """Write what *items* make, and return the next version of each stream."""
        written = [item.written() for item in items]
        await self._writer.write([row for first, _ in written for row in first])
        await self._writer.write([row for _, second in written for row in second])
        return [item.version + item.rows for item in items]


class BareRouter:
    """Stands for the manager: it gathers the items of a host and sends them on."""

    def __init__(self, hosts: list[Any]) -> None:
        self._hosts = [Coalescer(at_once(partial(_submit, host)), lanes=2) for host in hosts]

    async def submit(self, items: list[Item]) -> list[int]:
        """Send every item to the host of its stream, and wait for all of them."""
        hosts = self._hosts
        return await asyncio.gather(
            *(hosts[hash(item.stream) % len(hosts)].put(item) for item in items)
        )


async def _submit(actor: Any, items: list[Item]) -> list[int]:
    answers: list[int] = await actor.submit.remote(items)
    return answers


class BareSystem:
    """A client of the bare application, which it starts on the Ray cluster of this process."""

    def __init__(self, path: Path, hosts: int) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)
        connection.close()
        remote: Any = ray.remote
        host = remote(num_cpus=0)(BareHost)
        self._hosts = [host.remote(path) for _ in range(hosts)]
        self._router = remote(num_cpus=0)(BareRouter).remote(self._hosts)
        self._lane = Coalescer(at_once(partial(_submit, self._router)), lanes=3)

    async def run(self, item: Item) -> int:
        """The version of the stream after *item*."""
        return await self._lane.put(item)

    def close(self) -> None:
        """End the actors."""
        for actor in (self._router, *self._hosts):
            ray.kill(actor)
