"""CatalogActor: updates the catalog from the log, and answers queries about both.

A plain class; `actors/runtime` makes it a Ray actor. It reads the log, and writes to it only that a data
subject was forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, TypeVar

from share_actors.actors.catalog_changes import CatalogChanges
from share_actors.actors.catalog_follower import MAX_QUERY_EVENTS, CatalogFollower
from share_actors.actors.catalog_progress import Progress, incomplete, status_of
from share_actors.actors.catalog_queries import LISTS, SYSTEM_QUERIES, WHOLE, check, key
from share_actors.actors.shared_queries import SharedQueries
from share_actors.config import Config
from share_actors.errors import (
    InvalidRequest,
    Refused,
    ShareActorsError,
    Unavailable,
)
from share_actors.events import share
from share_actors.events.aggregates import kind_of, stream_of
from share_actors.events.catalog import Catalog
from share_actors.events.catalog.figures import Figures
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.envelope import Recorded
from share_actors.events.erasing import Eraser, envelope_of, refuse_if_in_force
from share_actors.events.event_filter import EventFilter
from share_actors.events.log import Log, OpenLog, open_configured
from share_actors.events.visibility import no_such_entity
from share_actors.policy import Caller, Role, caller_of, check_role, not_permitted
from share_actors.values import (
    OPERATOR,
    SYSTEM_CONTEXT,
    AsOf,
    DataSubject,
    Forgetting,
    RequestContext,
)

T = TypeVar("T")
logger = logging.getLogger(__name__)
RETRY_S = 5.0
EVENTS_BATCH_SIZE = 1000
MAX_QUERY_WAIT_S = 60.0
"""A query is dropped after this time: no caller waits for longer (`messaging.retries.MAX_WAIT_S`)."""
WHOLE_WAIT_S = 30.0
"""How long a query that needs all of the log waits for a catalog that catches up."""
ANYONE = Caller("", Role.SYSTEM_ADMIN)
_BEHIND = object()
"""The result of a query that needs all of the log while the catalog is far behind it."""


class CatalogActor(CatalogChanges):
    """Runs queries, each of which sees everything that was recorded before it (read-your-writes).

    While the catalog is far behind the log, queries about one entity still do; lists say how far they are.
    """

    def __init__(self, config: Config, nodes: int = 1, open_log: OpenLog = open_configured) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._writer = ThreadPoolExecutor(1, "catalog")
        self._readers = ThreadPoolExecutor(4, "history")
        self._queries = SharedQueries(self._run, self._caught_up, MAX_QUERY_WAIT_S)
        self._statuses = SharedQueries(self._run, nullcontext, MAX_QUERY_WAIT_S)
        self._stopping = False
        self._signer = ThreadPoolExecutor(1, "checkpoints")
        self._followers: list[asyncio.Task[None]] = []
        self._rebuild_progress: AsOf | None = None
        self._follower = CatalogFollower(self._run, lambda: self._catalog)

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
        await self.take_over()
        self._follower.start()
        self._followers.append(asyncio.create_task(self._finish_forgetting_at_start()))
        if self._config.audit.checkpoints is not None:
            writer = CheckpointWriter.configured(self._config)
            self._followers.append(asyncio.create_task(self._write_checkpoints(writer)))

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
        parameter is unknown, and `Unavailable` if it needs all of a log that is not applied in time.
        """
        check(query, parameters)
        return await self._query(query, parameters, ANYONE, whole=query in WHOLE | LISTS)

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The same for the caller in *context*: what it may not read does not exist.

        A list says how far it is, if that is not the whole log. Raises `Forbidden` for a query about the
        whole system.
        """
        caller = caller_of(context)
        check(query, parameters)
        if query in SYSTEM_QUERIES and not caller.is_system_admin:
            raise not_permitted(query, caller)
        return await self._query(query, parameters, caller, whole=query in WHOLE)

    async def _query(
        self, query: str, parameters: dict[str, Any], caller: Caller, *, whole: bool
    ) -> Any:
        def run() -> Any:
            if whole and self._catalog.is_behind:
                return _BEHIND
            return getattr(self._catalog.as_seen_by(caller), query)(**parameters)

        until = time.monotonic() + WHOLE_WAIT_S
        asked = (caller, query, whole, key(parameters))
        while (result := await self._queries.ask(asked, run)) is _BEHIND:
            progress = await self._follower.complete(until - time.monotonic())
            if time.monotonic() >= until:
                raise incomplete(query, progress)
        if getattr(result, "as_of", None) is not None:
            self._follower.start()
        return result

    def _caught_up(self) -> AbstractContextManager[None]:
        return self._catalog.caught_up(MAX_QUERY_EVENTS)

    async def complete(self, timeout_s: float, *, context: RequestContext = OPERATOR) -> Progress:
        """Wait until lists have all that is recorded, at most *timeout_s*; how far the catalog is then."""
        check_role("complete", caller_of(context))
        return await self._follower.complete(min(timeout_s, WHOLE_WAIT_S))

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
        with self._caught_up():
            catalog = self._catalog.as_seen_by(caller)
            if catalog.owns(address):
                return
            is_share = kind_of(address) == share.KIND
            seen = catalog.share(address) if is_share else catalog.entity(address)
        raise no_such_entity(address) if seen is None else not_permitted("history", caller)

    async def status(self, *, context: RequestContext = OPERATOR) -> dict[str, Any]:
        """Counts, how far the catalog is and how fast it catches up, and the parked streams."""
        check_role("status", caller_of(context))
        status: dict[str, Any] = await self._statuses.ask("status", self._status)
        return status

    def _status(self) -> dict[str, Any]:
        progress = self._follower.progress(self._catalog.as_of())
        with self._caught_up():
            return status_of(progress, self._catalog)

    async def figures(self, *, context: RequestContext = OPERATOR) -> Figures:
        """Figures of the log and the catalog, for monitoring."""
        check_role("status", caller_of(context))
        settings, path = self._config.log, self._config.log_path
        return await self._run(lambda: self._catalog.figures(settings, path))

    async def rebuild(self, *, context: RequestContext = OPERATOR) -> int:
        """Drop the catalog and replay the log into it; returns the number of events.

        Other queries are answered meanwhile; see `ask`.
        """
        check_role("rebuild", caller_of(context))
        before = await self._run(self._restart)
        while True:
            as_of = await self._run(self._follower.step)
            self._rebuild_progress = as_of
            if as_of.applied >= as_of.head:
                return self._catalog.events_applied - before

    def _restart(self) -> int:
        self._catalog.restart()
        return self._catalog.events_applied

    async def progress(self, *, context: RequestContext = OPERATOR) -> tuple[int, int] | None:
        """(events replayed, events in all) of the last or running rebuild."""
        check_role("progress", caller_of(context))
        return None if self._rebuild_progress is None else (*self._rebuild_progress,)

    async def unpark(self, stream: str, *, context: RequestContext = OPERATOR) -> bool:
        """Retry a parked stream, for example after an upgrade; returns whether it is projected again."""
        check_role("unpark", caller_of(context))
        return bool(await self._run(lambda: self._catalog.unpark(stream)))

    # -- data subjects -----------------------------------------------------------------------------
    async def _finish_forgetting_at_start(self) -> None:
        while True:
            try:
                await self._finish_forgetting()
            except Refused:  # nothing is sealed
                return
            except Exception:
                logger.exception("finishing to forget a subject failed; it will be retried")
            else:
                return
            await asyncio.sleep(RETRY_S)

    async def _finish_forgetting(self) -> None:
        """Finish or undo what a crash has left of forgetting subjects, and record which of both."""
        eraser = await self._run(self._eraser)
        found = await self._run(eraser.interrupted)
        if any(found):
            forgotten, kept = map(len, found)
            text = "a crash ended the forgetting of subjects: %d are forgotten now, %d are kept"
            logger.warning(text, forgotten, kept)
            await self._run(lambda: eraser.finish(found))
            await eraser.record_interrupted(found, envelope_of(SYSTEM_CONTEXT))

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
        await self._require_complete("forget_subject")
        eraser = await self._run(self._eraser)
        if not dry_run:
            await self._finish_forgetting()
        plan = await self._run(lambda: eraser.plan(name))
        if dry_run or not plan.pending:
            return plan.report
        refuse_if_in_force(plan.report)
        await self._run(lambda: eraser.destroy(plan))
        await eraser.record(plan, envelope_of(context))
        return plan.report.replace(is_done=True)

    async def _require_complete(self, request: str) -> None:
        progress = await self._follower.complete(WHOLE_WAIT_S)
        if progress.behind > MAX_QUERY_EVENTS:
            raise incomplete(request, progress)

    def _eraser(self) -> Eraser:
        return Eraser(self._log, self._catalog)

    async def stop(self) -> None:
        """Stop following, wait for running queries, and close catalog and log."""
        self._stopping = True
        self._follower.stop()
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
