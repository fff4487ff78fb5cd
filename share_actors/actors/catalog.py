"""CatalogActor: keeps the catalog up with the log, and answers what is asked of either.

A plain class; `actors/runtime` makes it a Ray actor. It reads the log and never writes to it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from inspect import signature
from typing import Any, TypeVar

from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, ShareActorsError, Unavailable
from share_actors.events.aggregates import id_of, kind_of, stream_of
from share_actors.events.catalog import Catalog
from share_actors.events.envelope import Recorded
from share_actors.events.log import Log, OpenLog, open_configured

T = TypeVar("T")
logger = logging.getLogger(__name__)
FOLLOW_EVERY_S = 0.25
FOLLOW_AT_ONCE = 2000
QUESTIONS = frozenset(
    "shares share named count_shares snapshots snapshot count_snapshots rules count_rules owing "  # noqa: SIM905
    "rule_share snapshot_share command_shares provisioned entities entity".split()
)


class CatalogActor:
    """Queries see everything that was recorded before they were asked (read-your-writes)."""

    def __init__(self, config: Config, nodes: int = 1, open_log: OpenLog = open_configured) -> None:
        self._config, self._nodes, self._open_log = config, nodes, open_log
        self._alone = ThreadPoolExecutor(1, "catalog")
        self._readers = ThreadPoolExecutor(4, "history")
        self._stopping = False
        self._follower: asyncio.Task[None] | None = None
        self._rebuilt: tuple[int, int] | None = None

    @cached_property
    def _log(self) -> Log:
        """Opened with its first use: one that cannot be opened now, perhaps can the next time."""
        return self._open_log(self._config, self._nodes)

    @cached_property
    def _catalog(self) -> Catalog:
        return Catalog.open(self._log, self._config.log, self._config.catalog_file)

    async def follow(self) -> None:
        """Keep up with the log in the background from now on; raises `LogError` if there is none."""
        await self._run(lambda: self._catalog)
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                await self._run(lambda: self._catalog.catch_up(FOLLOW_AT_ONCE))
            except ShareActorsError as error:
                logger.warning("the catalog can't follow the log: %s", error)
            except Exception:
                logger.exception("the catalog failed to follow the log; it tries again")
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _run(self, job: Callable[[], T]) -> T:
        """The result of *job*, which runs in a thread after all that came before it.

        It goes on if the caller is cancelled: databases must not be closed under it.
        """
        if self._stopping:
            raise Unavailable("the system is going down")
        return await asyncio.get_running_loop().run_in_executor(self._alone, job)

    async def ask(self, what: str, /, **question: Any) -> Any:
        """The answer of the catalog's method *what*, after it caught up with the log."""
        if what not in QUESTIONS:
            raise InvalidRequest(f"no question {what!r}", field="what", value=what)
        _check(what, question)
        return await self._run(lambda: self._answer(what, question))

    def _answer(self, what: str, question: dict[str, Any]) -> Any:
        self._catalog.catch_up()
        return getattr(self._catalog, what)(**question)

    async def history(self, share_id: str) -> list[Recorded]:
        """All that ever happened to a share, or to what else has that address, from the log itself.

        Raises `NotFound`, or `LogTooNew`.
        """
        log = self._log if "_log" in self.__dict__ else await self._run(lambda: self._log)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._readers, log.read, stream_of(share_id))
        if not found:
            kind = kind_of(share_id).replace("_", " ")
            raise NotFound(
                f"there is no {kind} {id_of(share_id)}", field="id", value=id_of(share_id)
            )
        return found

    async def status(self) -> dict[str, Any]:
        """Counts, how far the catalog is behind the log, and the parked streams."""
        return await self._run(self._status)

    def _status(self) -> dict[str, Any]:
        behind = self._catalog.lag()
        self._catalog.catch_up()
        return {
            "pid": os.getpid(),
            "events": self._log.head(),
            "behind": behind,
            "shares": self._catalog.count_shares(),
            "parked": [p.model_dump() for p in self._catalog.parked()],
        }

    async def rebuild(self) -> int:
        """Drop the catalog and replay the log into it; how many events that took."""
        return await self._run(lambda: self._catalog.rebuild(self._progress))

    def _progress(self, done: int, total: int) -> None:
        self._rebuilt = done, total

    async def progress(self) -> tuple[int, int] | None:
        """(events replayed, events in all) of the last or running rebuild."""
        return self._rebuilt

    async def unpark(self, stream: str) -> bool:
        """Try a parked stream again, as after an upgrade; whether it is well now."""
        return bool(await self._run(lambda: self._catalog.unpark(stream)))

    async def stop(self) -> None:
        """Stop following, let what runs come to its end, and close catalog and log."""
        self._stopping = True
        if self._follower is not None:
            self._follower.cancel()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._alone.shutdown()
        for opened in ("_catalog", "_log"):
            if opened in self.__dict__:
                getattr(self, opened).close()


def _check(what: str, question: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` unless *question* has only what the catalog's method *what* takes."""
    known = list(signature(getattr(Catalog, what)).parameters)[1:]
    for field, value in question.items():
        if field not in known:
            said = f"{field}: {what} are not asked for by it, but by: {', '.join(known)}"
            raise InvalidRequest(said, field=field, value=value)
        if field != "limit" and not isinstance(value, str | None):
            raise InvalidRequest(f"{field}: {value!r} is no text", field=field, value=value)
