"""Waiting for several shares, and following the changes of those that a list shows: asynchronous."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Unpack

from share_actors.actors.messaging.parameters import items, known_id
from share_actors.client.keywords import DEFAULT_TIMEOUT_S, ShareCountFilters, ShareFilters
from share_actors.client.requests import Requests
from share_actors.client.share.handle import AsyncShare
from share_actors.client.share.watching import (
    POLL_S,
    ShareChange,
    changed_shares,
    wait_for_all,
)
from share_actors.errors import ShareActorsError
from share_actors.events.share_choice import ShareChoice
from share_actors.values import Share

PAGE_SIZE = 1000


class AsyncSystemWatching:
    """The part of `AsyncShareSystem` that waits for changes of shares."""

    _requests: Requests

    async def wait_for_shares(
        self,
        shares: Iterable[AsyncShare | str],
        condition: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> list[AsyncShare | ShareActorsError]:
        """Wait until each of *shares*, handles or ids, is as *condition* says; see `AsyncShare.wait_for`.

        All are waited for at once, for *timeout* seconds together. Returns one result per share, in order:
        the share, or its error.
        """
        given = items("shares", shares)
        ids = [s.id if isinstance(s, AsyncShare) else known_id("share", s, "shares") for s in given]
        ended = await wait_for_all(self._requests, ids, condition, timeout)
        return [self._waited_for(ended[share_id]) for share_id in ids]

    def _waited_for(self, found: Share | ShareActorsError) -> AsyncShare | ShareActorsError:
        if isinstance(found, ShareActorsError):
            return found
        return AsyncShare(self._requests, found.id, None, found)

    async def watch_shares(
        self, **filters: Unpack[ShareCountFilters]
    ) -> AsyncIterator[ShareChange]:
        """The shares that `shares` lists with these *filters*, then each change of them, without end.

        A new share has no `before`. One that no longer fits the filters, or has left the system, is told
        once more. The shares are kept in memory, for comparison; a narrow filter makes them fewer.
        """
        chosen = _chosen(filters)
        position = (await changed_shares(self._requests, None, chosen, 0.0)).position
        known: dict[str, Share] = {}
        async for share in _listed(self._requests, filters):
            known[share.id] = share
            yield ShareChange(share)
        while True:
            news = await changed_shares(self._requests, position, chosen, POLL_S)
            position = news.position
            for share in news.shares:
                change = ShareChange(share, known.pop(share.id, None))
                if fits := chosen.accepts(share):
                    known[share.id] = share
                if change.fields or (fits and change.before is None):
                    yield change


def _chosen(filters: ShareCountFilters) -> ShareChoice:
    """The choice of the same shares; filters that do not exist are refused by the list."""
    return ShareChoice(
        name=filters.get("name"),
        status=filters.get("status"),
        project_id=filters.get("project_id"),
        backend=filters.get("backend"),
        is_public=filters.get("is_public"),
    )


async def _listed(requests: Requests, filters: ShareCountFilters) -> AsyncIterator[Share]:
    """All pages of a list."""
    marker: str | None = None
    while True:
        paged: ShareFilters = {"wait": True, **filters, "limit": PAGE_SIZE, "marker": marker}
        page = await requests.catalog.listed("shares", **paged)
        for share in page.items:
            yield share
        if (marker := page.next_marker) is None:
            return
