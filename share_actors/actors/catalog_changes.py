"""The part of the catalog's actor that says which shares were changed: what a watch waits for."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from share_actors.actors.catalog_upgrades import CatalogUpgrades
from share_actors.actors.share_feed import ShareFeed
from share_actors.events.share_choice import ShareChoice
from share_actors.policy import Caller, caller_of, check_role
from share_actors.values import OPERATOR, RequestContext, Share
from share_actors.wire import sent_as_report

T = TypeVar("T")
MAX_CHANGES_WAIT_S = 30.0
"""How long one call waits for a change; a watch calls again."""


@sent_as_report
class ChangedShares(NamedTuple):
    """Shares that were changed, as they are now, up to a position in the log: the next call goes on from it.

    *gone*: the ids of shares that were chosen by their ids and do not exist any more for the caller.
    """

    shares: tuple[Share, ...]
    position: int
    gone: tuple[str, ...] = ()


class CatalogChanges(CatalogUpgrades):
    """Waiting for changes of shares."""

    @abstractmethod
    async def _read(self, job: Callable[..., T], *arguments: Any) -> T:
        """The result of *job*, which reads the log in a thread of its own."""

    @abstractmethod
    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The result of a query for the caller in *context*."""

    @cached_property
    def _feed(self) -> ShareFeed:
        return ShareFeed(self._read, self._log)

    async def changes(
        self,
        after: int | None,
        chosen: ShareChoice,
        timeout_s: float,
        *,
        context: RequestContext = OPERATOR,
    ) -> ChangedShares:
        """The chosen shares that were changed after a position in the log, once there are any.

        There are none after *timeout_s*, and without a position, which returns the log's last one. A share
        that was changed twice meanwhile is there once, as it is now. Raises `InvalidRequest` for a position
        of another log.
        """
        caller = caller_of(context)
        check_role("changes", caller)
        await self._run(lambda: self._log)
        if after is None:
            return ChangedShares((), await self._feed.head())
        until = time.monotonic() + min(timeout_s, MAX_CHANGES_WAIT_S)
        while True:
            changed, after = await self._feed.after(after, until - time.monotonic())
            ids = [share_id for share_id in changed if chosen.may_concern(share_id)]
            asked = (self.ask_as(context, "share", share_id=share_id) for share_id in ids)
            found = dict(zip(ids, await asyncio.gather(*asked), strict=True))
            news = _news(found, chosen, caller, after)
            if news.shares or news.gone or time.monotonic() >= until:
                return news


def _news(
    found: Mapping[str, Share | None], chosen: ShareChoice, caller: Caller, position: int
) -> ChangedShares:
    """Those of the changed shares, *found* for the caller or not, that are chosen."""
    shares = [share for share in found.values() if share and chosen.concerns(share, caller)]
    gone = [i for i, share in found.items() if share is None and chosen.share_ids is not None]
    return ChangedShares(tuple(shares), position, tuple(gone))
