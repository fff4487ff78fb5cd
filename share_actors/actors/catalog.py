"""CatalogActor: updates the catalog from the log, and answers queries about both.

A plain class; `actors/runtime` makes it a Ray actor. It reads the log and never writes to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from inspect import signature
from typing import Any, TypeVar

from share_actors.actors.shared_queries import SharedQueries
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, ShareActorsError, Unavailable
from share_actors.events.aggregates import id_of, kind_of, stream_of
from share_actors.events.catalog import Catalog
from share_actors.events.envelope import Recorded
from share_actors.events.log import Log, OpenLog, open_configured

T = TypeVar("T")
logger = logging.getLogger(__name__)
FOLLOW_EVERY_S = 0.25
FOLLOW_BATCH_SIZE = 2000
MAX_QUERY_WAIT_S = 60.0
"""A query is dropped after this time: no caller waits for longer (`messaging.retries.MAX_WAIT_S`)."""
QUERIES = frozenset(
    "shares share named count_shares snapshots snapshot count_snapshots rules count_rules owing "  # noqa: SIM905
    "rule_share snapshot_share command_shares provisioned entities entity".split()
)


class CatalogActor:
    """Runs queries, each of which sees everything that was recorded before it (read-your-writes)."""

    def __init__(self, config: Config, nodes: int = 1, open_log: OpenLog = open_configured) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._writer = ThreadPoolExecutor(1, "catalog")
        self._readers = ThreadPoolExecutor(4, "history")
        self._queries = SharedQueries(self._run, self._caught_up, MAX_QUERY_WAIT_S)
        self._statuses = SharedQueries(self._run, nullcontext, MAX_QUERY_WAIT_S)
        self._stopping = False
        self._follower: asyncio.Task[None] | None = None
        self._rebuild_progress: tuple[int, int] | None = None

    @cached_property
    def _log(self) -> Log:
        """Opened at its first use; if that fails, the next use tries again."""
        return self._open_log(self._config, self._nodes)

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog.open(self._log, self._config.log, self._config.catalog_file)

    async def follow(self) -> None:
        """Follow the log in the background from now on; raises `LogError` if it can't be opened."""
        await self._run(lambda: self._catalog)
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                await self._run(lambda: self._catalog.catch_up(FOLLOW_BATCH_SIZE))
            except ShareActorsError as error:
                logger.warning("the catalog cannot follow the log: %s", error)
            except Exception:
                logger.exception("the catalog failed to follow the log; it will retry")
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _run(self, job: Callable[[], T]) -> T:
        """The result of *job*, which runs in the writer thread after earlier jobs.

        It continues if the caller is cancelled: a database must not be closed while it is in use.
        """
        if self._stopping:
            raise Unavailable("the system is stopping")
        return await asyncio.get_running_loop().run_in_executor(self._writer, job)

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*, called after it has caught up with the log.

        Equal queries that wait at the same time are run once. Raises `InvalidRequest` if *query* or a
        parameter is unknown.
        """
        if query not in QUERIES:
            raise InvalidRequest(f"{query!r} is not a query", field="query", value=query)
        _check(query, parameters)
        key = query, repr(sorted(parameters.items()))
        return await self._queries.ask(key, lambda: getattr(self._catalog, query)(**parameters))

    def _caught_up(self) -> AbstractContextManager[None]:
        return self._catalog.caught_up()

    async def history(self, share_id: str) -> list[Recorded]:
        """All events of a share, or of the entity at that address, read from the log.

        Raises `NotFound` or `LogTooNew`.
        """
        log = self._log if "_log" in self.__dict__ else await self._run(lambda: self._log)
        loop = asyncio.get_running_loop()
        events = await loop.run_in_executor(self._readers, log.read, stream_of(share_id))
        if not events:
            kind = kind_of(share_id).replace("_", " ")
            raise NotFound(
                f"there is no {kind} {id_of(share_id)}", field="id", value=id_of(share_id)
            )
        return events

    async def status(self) -> dict[str, Any]:
        """Counts, how many events the catalog lags behind the log, and the parked streams."""
        status: dict[str, Any] = await self._statuses.ask("status", self._status)
        return status

    def _status(self) -> dict[str, Any]:
        behind = self._catalog.lag()
        self._catalog.catch_up()
        return {
            "pid": os.getpid(),
            "events": self._log.head(),
            "behind": behind,
            "shares": self._catalog.count_shares(),
            "parked": [parked.model_dump() for parked in self._catalog.parked()],
        }

    async def rebuild(self) -> int:
        """Drop the catalog and replay the log into it; returns the number of events."""
        return await self._run(lambda: self._catalog.rebuild(self._note_progress))

    def _note_progress(self, done: int, total: int) -> None:
        self._rebuild_progress = done, total

    async def progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the last or running rebuild."""
        return self._rebuild_progress

    async def unpark(self, stream: str) -> bool:
        """Retry a parked stream, for example after an upgrade; returns whether it is projected again."""
        return bool(await self._run(lambda: self._catalog.unpark(stream)))

    async def stop(self) -> None:
        """Stop following, wait for running queries, and close catalog and log."""
        self._stopping = True
        if self._follower is not None:
            self._follower.cancel()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        for opened in ("_catalog", "_log"):
            if opened in self.__dict__:
                getattr(self, opened).close()


def _check(query: str, parameters: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless *parameters* are those of the catalog's method *query*."""
    allowed = list(signature(getattr(Catalog, query)).parameters)[1:]
    for field, value in parameters.items():
        if field not in allowed:
            message = f"{field}: not a filter of {query}, which has: {', '.join(allowed)}"
            raise InvalidRequest(message, field=field, value=value)
        if field not in ("limit", "without") and not isinstance(value, str | None):
            raise InvalidRequest(f"{field}: {value!r} is not a string", field=field, value=value)
