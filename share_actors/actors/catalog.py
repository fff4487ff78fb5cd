"""CatalogActor: updates the catalog from the log, and answers queries about both.

A plain class; `actors/runtime` makes it a Ray actor. It reads the log, and writes to it only that a data
subject was forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from inspect import signature
from typing import Any, TypeVar

from share_actors.actors.shared_queries import SharedQueries
from share_actors.config import Config
from share_actors.errors import (
    InvalidRequest,
    ShareActorsError,
    Unavailable,
    showable,
    shown,
)
from share_actors.events import share
from share_actors.events.aggregates import kind_of, stream_of
from share_actors.events.catalog import Catalog
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.envelope import Recorded
from share_actors.events.erasing import Eraser, envelope_of, refuse_if_in_force
from share_actors.events.event_filter import EventFilter
from share_actors.events.log import Log, OpenLog, open_configured
from share_actors.events.visibility import no_such_entity
from share_actors.policy import Caller, Role, caller_of, check_role, not_permitted
from share_actors.values import OPERATOR, DataSubject, Forgetting, RequestContext

T = TypeVar("T")
logger = logging.getLogger(__name__)
FOLLOW_EVERY_S = 0.25
FOLLOW_BATCH_SIZE = 2000
EVENTS_BATCH_SIZE = 1000
MAX_QUERY_WAIT_S = 60.0
"""A query is dropped after this time: no caller waits for longer (`messaging.retries.MAX_WAIT_S`)."""
QUERIES = frozenset(
    "shares share named count_shares snapshots snapshot count_snapshots rules count_rules owing "  # noqa: SIM905
    "rule_share snapshot_share command_shares room entities entity source copies on_network".split()
)


SYSTEM_QUERIES = frozenset(("owing", "room", "source", "copies", "on_network"))
"""The queries about all projects together."""
ANYONE = Caller("", Role.SYSTEM_ADMIN)


class CatalogActor:
    """Runs queries, each of which sees everything that was recorded before it (read-your-writes)."""

    def __init__(self, config: Config, nodes: int = 1, open_log: OpenLog = open_configured) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._writer = ThreadPoolExecutor(1, "catalog")
        self._readers = ThreadPoolExecutor(4, "history")
        self._queries = SharedQueries(self._run, self._caught_up, MAX_QUERY_WAIT_S)
        self._statuses = SharedQueries(self._run, nullcontext, MAX_QUERY_WAIT_S)
        self._stopping = False
        self._signer = ThreadPoolExecutor(1, "checkpoints")
        self._followers: list[asyncio.Task[None]] = []
        self._rebuild_progress: tuple[int, int] | None = None

    @cached_property
    def _log(self) -> Log:
        """Opened at its first use; if that fails, the next use tries again."""
        return self._open_log(self._config, self._nodes)

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog.open(self._log, self._config.log, self._config.catalog_file)

    async def follow(self) -> None:
        """Follow the log in the background from now on; raises `LogError` if it can't be opened.

        With `audit.checkpoints`, checkpoints are written too; raises `ConfigError` if their key is unusable.
        """
        await self._run(lambda: self._catalog)
        if self._followers:
            return
        self._followers.append(asyncio.create_task(self._follow()))
        if self._config.audit.checkpoints is not None:
            writer = CheckpointWriter.configured(self._config)
            self._followers.append(asyncio.create_task(self._write_checkpoints(writer)))

    async def _follow(self) -> None:
        while True:
            try:
                await self._run(lambda: self._catalog.catch_up(FOLLOW_BATCH_SIZE))
            except ShareActorsError as error:
                logger.warning("the catalog cannot follow the log: %s", error)
            except Exception:
                logger.exception("the catalog failed to follow the log; it will retry")
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _write_checkpoints(self, writer: CheckpointWriter) -> None:
        """Write a checkpoint every period, and at once while more events wait than one covers."""
        loop = asyncio.get_running_loop()
        while True:
            behind = False
            try:
                written = await loop.run_in_executor(self._signer, writer.write, self._log.rows)
                behind = written is not None and written.is_behind
            except ShareActorsError as error:
                logger.warning("no checkpoint of the log was written: %s", error)
            except Exception:
                logger.exception("writing a checkpoint failed; it will be retried")
            await asyncio.sleep(0 if behind else self._config.audit.every_s)

    async def _run(self, job: Callable[[], T]) -> T:
        """The result of *job*, which runs in the writer thread after earlier jobs.

        It continues if the caller is cancelled: a database must not be closed while it is in use.
        """
        if self._stopping:
            raise Unavailable("the system is stopping")
        return await asyncio.get_running_loop().run_in_executor(self._writer, job)

    async def _read(self, job: Callable[..., T], *arguments: Any) -> T:
        """The result of *job*, which reads the log in a thread of its own."""
        if self._stopping:
            raise Unavailable("the system is stopping")
        return await asyncio.get_running_loop().run_in_executor(self._readers, job, *arguments)

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*, called after it has caught up with the log.

        Equal queries that wait at the same time are run once. Raises `InvalidRequest` if *query* or a
        parameter is unknown.
        """
        _check(query, parameters)
        return await self._query(query, parameters, ANYONE)

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The same for the caller in *context*: what it may not read does not exist.

        Raises `Forbidden` for a query about the whole system.
        """
        caller = caller_of(context)
        _check(query, parameters)
        if query in SYSTEM_QUERIES and not caller.is_system_admin:
            raise not_permitted(query, caller)
        return await self._query(query, parameters, caller)

    async def _query(self, query: str, parameters: dict[str, Any], caller: Caller) -> Any:
        def run() -> Any:
            return getattr(self._catalog.as_seen_by(caller), query)(**parameters)

        return await self._queries.ask((caller, query, _key(parameters)), run)

    def _caught_up(self) -> AbstractContextManager[None]:
        return self._catalog.caught_up()

    async def history(self, share_id: str, *, context: RequestContext = OPERATOR) -> list[Recorded]:
        """All events of a share, or of the entity at that address, read from the log.

        Raises `NotFound`, also for an entity of another project, or `LogTooNew`.
        """
        caller = caller_of(context)
        if not caller.is_system_admin:
            await self._run(lambda: self._check_owner(share_id, caller))
        log = self._log if "_log" in self.__dict__ else await self._run(lambda: self._log)
        events = await self._read(log.read, stream_of(share_id))
        if not events:
            raise no_such_entity(share_id)
        return events

    async def events(
        self, after: int, chosen: EventFilter, *, context: RequestContext = OPERATOR
    ) -> tuple[list[Recorded], int, int]:
        """The events after position *after* that match, up to a position, and the log's last position.

        At most `EVENTS_BATCH_SIZE` events are read a call, so the list may be empty before the end. Raises
        `InvalidRequest` for a position beyond the log's end, or `LogError` at one that cannot be read.
        """
        check_role("events", caller_of(context))
        log = self._log if "_log" in self.__dict__ else await self._run(lambda: self._log)
        return await self._read(_events_of, log, after, chosen)

    def _check_owner(self, address: str, caller: Caller) -> None:
        """Raise unless *address* is that of an entity of the caller's project."""
        self._catalog.catch_up()
        catalog = self._catalog.as_seen_by(caller)
        if catalog.owns(address):
            return
        is_share = kind_of(address) == share.KIND
        seen = catalog.share(address) if is_share else catalog.entity(address)
        raise no_such_entity(address) if seen is None else not_permitted("history", caller)

    async def status(self, *, context: RequestContext = OPERATOR) -> dict[str, Any]:
        """Counts, how many events the catalog lags behind the log, and the parked streams."""
        check_role("status", caller_of(context))
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

    async def rebuild(self, *, context: RequestContext = OPERATOR) -> int:
        """Drop the catalog and replay the log into it; returns the number of events."""
        check_role("rebuild", caller_of(context))
        return await self._run(lambda: self._catalog.rebuild(self._note_progress))

    def _note_progress(self, done: int, total: int) -> None:
        self._rebuild_progress = done, total

    async def progress(self, *, context: RequestContext = OPERATOR) -> tuple[int, int] | None:
        """(events replayed, events in all) of the last or running rebuild."""
        check_role("progress", caller_of(context))
        return self._rebuild_progress

    async def unpark(self, stream: str, *, context: RequestContext = OPERATOR) -> bool:
        """Retry a parked stream, for example after an upgrade; returns whether it is projected again."""
        check_role("unpark", caller_of(context))
        return bool(await self._run(lambda: self._catalog.unpark(stream)))

    # -- data subjects -----------------------------------------------------------------------------
    async def subjects(self, *, context: RequestContext = OPERATOR) -> list[DataSubject]:
        """The data subjects with a key, and those that were forgotten; raises `Refused` if erasure is off."""
        check_role("subjects", caller_of(context))
        return await self._run(lambda: self._eraser().subjects())

    async def forget_subject(
        self, name: str, dry_run: bool = False, *, context: RequestContext = OPERATOR
    ) -> Forgetting:
        """Destroy the key of a data subject, write the catalog anew, and record that; it may be repeated.

        Raises `Refused` with what is still in force, and `NotFound`. A *dry_run* changes nothing.
        """
        check_role("forget_subject", caller_of(context))
        eraser = await self._run(self._eraser)
        plan = await self._run(lambda: eraser.plan(name))
        if dry_run or not plan.pending:
            return plan.report
        refuse_if_in_force(plan.report)
        await self._run(lambda: eraser.destroy(plan))
        await eraser.record(plan, envelope_of(context))
        return plan.report.replace(is_done=True)

    def _eraser(self) -> Eraser:
        return Eraser(self._log, self._catalog)

    async def stop(self) -> None:
        """Stop following, wait for running queries, and close catalog and log."""
        self._stopping = True
        for follower in self._followers:
            follower.cancel()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._signer.shutdown()
        self._writer.shutdown()
        for opened in ("_catalog", "_log"):
            if opened in self.__dict__:
                getattr(self, opened).close()


def _events_of(log: Log, after: int, chosen: EventFilter) -> tuple[list[Recorded], int, int]:
    head = log.head()
    if after > head:
        text = f"since: {after} is beyond the log's last position, {head}: it is of another log"
        raise InvalidRequest(text, field="since", value=after)
    rows = log.notifications(after, EVENTS_BATCH_SIZE) if after < head else ()
    likely = (
        (row.topic, log.decode(row)) for row in rows if chosen.may_match(row.stream, row.topic)
    )
    events = [recorded for topic, recorded in likely if chosen.accepts(recorded, topic)]
    return events, rows[-1].position if rows else after, head


def _key(parameters: Mapping[str, Any]) -> Hashable:
    """Equal for equal *parameters*; its own for values that cannot be printed (huge numbers)."""
    try:
        return repr(sorted(parameters.items()))
    except ValueError:
        return object()


def _check(query: str, parameters: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless *query* is one, and *parameters* are those of its method."""
    if query not in QUERIES:
        raise InvalidRequest(f"{query!r} is not a query", field="query", value=query)
    allowed = list(signature(getattr(Catalog, query)).parameters)[1:]
    for field, value in parameters.items():
        if field not in allowed:
            message = f"{field}: not a filter of {query}, which has: {', '.join(allowed)}"
            raise InvalidRequest(message, field=field, value=showable(value))
        if field == "is_public":
            if not isinstance(value, bool | None):
                text = f"{field}: {shown(value)} is not True or False"
                raise InvalidRequest(text, field=field, value=showable(value))
            continue
        if field not in ("limit", "share_ids") and not isinstance(value, str | None):
            text = f"{field}: {shown(value)} is not a string"
            raise InvalidRequest(text, field=field, value=showable(value))
        if isinstance(value, str) and not _storable(value):
            text = f"{field}: holds a character that cannot be stored: {shown(value)}"
            raise InvalidRequest(text, field=field, value=showable(value))


def _storable(text: str) -> bool:
    """Whether a database takes *text*: no NUL, and no half of a pair of surrogates."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text
