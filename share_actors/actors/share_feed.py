"""Which shares were changed, by position in the log: one reader wakes all that wait for changes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from share_actors.actors.shared_queries import RunInThread
from share_actors.errors import InvalidRequest
from share_actors.events import share
from share_actors.events.aggregates import address_of, kind_of

READ_EVERY_S = 0.1
"""How often the log is read, while anybody waits."""
BATCH_SIZE = 1000
KEPT = 20_000
"""How many changes, the latest ones, are kept; whoever asks for earlier ones has the log read."""
Change = tuple[int, str]
"""The position of an event of a share, and the id of the share."""


class Positions(Protocol):
    """The part of the log that is read."""

    def head(self) -> int:
        """The last position."""

    def plain_rows(self, after: int, limit: int, /) -> Sequence[tuple[int, str, int, str, bytes]]:
        """At most *limit* rows after a position: position and stream first."""


class ShareFeed:
    """Changes of shares after a position. *read* reads the log in a thread, and only while one waits."""

    def __init__(self, read: RunInThread, log: Positions) -> None:
        self._read, self._log = read, log
        self._recent: deque[Change] = deque()
        self._since = self._upto = 0
        self._grown = asyncio.Event()
        self._waiting = 0
        self._reader: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The last position of the log."""
        return await self._read(self._log.head)

    async def after(self, position: int, timeout_s: float) -> tuple[list[str], int]:
        """The ids of the shares that were changed after *position*, once there is one; and up to which.

        None, if there is none within *timeout_s*. Raises `InvalidRequest` for a position that the log does
        not have, or `LogError`.
        """
        until = time.monotonic() + timeout_s
        self._waiting += 1
        try:
            if self._reader is None or self._reader.done():
                await self._begin(position)
            if position < self._since:
                changes = await self._read(lambda: self._changes(position))
                return _ids(changes), changes[-1][0] if changes else self._since
            while self._upto <= position and (left_s := until - time.monotonic()) > 0:
                await self._growth(left_s)
            return _ids(self._recent_after(position)), max(position, self._upto)
        finally:
            self._waiting -= 1

    async def _begin(self, position: int) -> None:
        """Start the reader, which reads on from the log's last position."""
        head = await self.head()
        if position > head:
            text = (
                f"after: {position} is beyond the log's last position, {head}: it is of another log"
            )
            raise InvalidRequest(text, field="after", value=position)
        if self._reader is None or self._reader.done():
            self._recent.clear()
            self._since = self._upto = head
            self._reader = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Read what is new, until nobody waits any more."""
        while self._waiting:
            changes = await self._read(lambda: self._changes(self._upto))
            if changes:
                self._keep(changes)
                self._grown.set()
                self._grown = asyncio.Event()
            if len(changes) < BATCH_SIZE:
                await asyncio.sleep(READ_EVERY_S)

    def _keep(self, changes: list[Change]) -> None:
        self._recent.extend(changes)
        self._upto = changes[-1][0]
        while len(self._recent) > KEPT:
            self._since, _ = self._recent.popleft()

    async def _growth(self, timeout_s: float) -> None:
        """Return once there is news, or after *timeout_s*; raises the error that ended the reader."""
        assert self._reader is not None
        grown = asyncio.ensure_future(self._grown.wait())
        await asyncio.wait(
            [grown, self._reader], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        grown.cancel()
        if self._reader.done():
            self._reader.result()

    def _changes(self, after: int) -> list[Change]:
        """The next events of the log after a position; those of other entities have an empty id."""
        rows = self._log.plain_rows(after, BATCH_SIZE) if self._log.head() > after else ()
        return [(position, _share_id(stream)) for position, stream, *_ in rows]

    def _recent_after(self, position: int) -> list[Change]:
        """The kept changes after *position*, the oldest first."""
        found = list(takewhile(lambda change: change[0] > position, reversed(self._recent)))
        return found[::-1]


def _share_id(stream: str) -> str:
    address = address_of(stream) or ""
    return address if kind_of(address) == share.KIND else ""


def _ids(changes: list[Change]) -> list[str]:
    """The ids of the shares, each once, in the order of their last change."""
    latest = dict.fromkeys(share_id for _, share_id in reversed(changes) if share_id)
    return list(latest)[::-1]
