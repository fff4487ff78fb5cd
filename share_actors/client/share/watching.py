"""Waiting for a share, and following its changes: the asynchronous client, and the same of `ShareHandle`."""

from __future__ import annotations

import asyncio
import time
from abc import ABC
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from typing import NamedTuple, Self

from share_actors.actors.catalog_changes import ChangedShares
from share_actors.actors.messaging.parameters import seconds
from share_actors.client.keywords import DEFAULT_TIMEOUT_S
from share_actors.client.requests import Requests
from share_actors.client.share.blocking import HandlePart, blocking_request
from share_actors.client.share.conditions import Condition, condition_of
from share_actors.client.share.view import ShareView
from share_actors.client.sync.background_loop import each
from share_actors.errors import ShareActorsError, TimedOut, Unavailable
from share_actors.events.share_choice import GONE, ShareChoice
from share_actors.events.visibility import no_such_entity
from share_actors.values import Share

POLL_S = 20.0
"""How long one call waits for changes."""
_SHOWN = tuple(name for name, field in Share.model_fields.items() if not field.exclude)


class ShareChange(NamedTuple):
    """A share as it is after a change, and as it was told *before*: None if it was not."""

    share: Share
    before: Share | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that differ, such as `status`; none of a share that is told first."""
        before = self.before
        if before is None:
            return ()
        return tuple(name for name in _SHOWN if self.share[name] != before[name])


async def changed_shares(
    requests: Requests, after: int | None, chosen: ShareChoice, timeout_s: float
) -> ChangedShares:
    """The chosen shares that were changed after a position, see `CatalogActor.changes`."""
    try:
        found: ChangedShares
        found = await requests.catalog.call("changes", after, chosen, timeout_s)
    except AttributeError:  # the actor of an earlier version has no such method
        text = (
            "the catalog of the system is of an earlier version, which cannot be waited for changes"
        )
        raise Unavailable(text) from None
    return found


async def states(
    requests: Requests, ids: Collection[str], until: float | None = None
) -> AsyncIterator[tuple[str, Share | ShareActorsError]]:
    """Shares by their ids as they are, and then whenever one has changed; an error if there is none.

    It ends at *until* (as of `time.monotonic`).
    """
    chosen = ShareChoice(frozenset(ids))
    position = (await changed_shares(requests, None, chosen, 0.0)).position
    found = await asyncio.gather(*(requests.view(i) for i in ids), return_exceptions=True)
    for share_id, share in zip(ids, found, strict=True):
        if isinstance(share, BaseException) and not isinstance(share, ShareActorsError):
            raise share
        yield share_id, share
    while (left_s := POLL_S if until is None else until - time.monotonic()) > 0:
        news = await changed_shares(requests, position, chosen, min(left_s, POLL_S))
        position = news.position
        for share in news.shares:
            yield share.id, share
        for share_id in news.gone:
            yield share_id, no_such_entity(share_id)


async def wait_for_all(
    requests: Requests, ids: Iterable[str], condition: object, timeout: object
) -> dict[str, Share | ShareActorsError]:
    """What each share is once it is as wanted, or the error why not; see `AsyncShare.wait_for`."""
    wanted, timeout_s = condition_of(condition), seconds("timeout", timeout)
    waiting: dict[str, Share | None] = dict.fromkeys(ids)
    ended: dict[str, Share | ShareActorsError] = {}
    if not waiting:
        return ended
    until = time.monotonic() + timeout_s
    async for share_id, state in states(requests, tuple(waiting), until):
        if share_id in ended:
            continue
        if isinstance(state, ShareActorsError) or wanted.is_met(state):
            ended[share_id] = state
        elif (problem := wanted.problem(state)) is not None:
            ended[share_id] = problem
        else:
            waiting[share_id] = state
        if len(ended) == len(waiting):
            return ended
    late = {i: _not_in_time(i, share, wanted, timeout_s) for i, share in waiting.items()}
    return {**late, **ended}


class AsyncShareWatching(ABC):
    """The part of `AsyncShare` that waits for what others change."""

    _requests: Requests
    _view: ShareView | None
    id: str

    async def wait_for(self, condition: str, *, timeout: float = DEFAULT_TIMEOUT_S) -> Self:
        """Wait until the share is as *condition* says, whoever brings that about.

        *condition*: a status (`available`, `deleted`, `error` for any error, ...), `settled` (nothing is in
        progress), `rule-active` or `snapshot-available` for all its access rules or snapshots, or for one:
        `rule-active=alice`. It returns at once if that is so already, and is woken by changes. Raises, not
        waiting on, `OperationFailed` with the reason if the share (or that rule or snapshot) is in error, and
        `NotFound` if it is gone or there is no such rule or snapshot, and `Refused` if it is kept for a grace
        period and will be deleted; `TimedOut` after *timeout* seconds, and `InvalidRequest` for an unknown
        condition.

        >>> rule = share.allow_access("alice", wait=False)
        >>> share.wait_for("rule-active=alice", timeout=60).access_rules[0].state
        'active'
        """
        [found] = (await wait_for_all(self._requests, [self.id], condition, timeout)).values()
        if isinstance(found, ShareActorsError):
            raise found
        self._view = ShareView(found)
        return self

    async def watch(self) -> AsyncIterator[ShareChange]:
        """The share as it is now, then each change of it; ends once it is deleted or unmanaged.

        A share that changes twice within a moment may be told once, as it is then. The properties of this
        handle follow. Raises `NotFound`.

        >>> changes = share.watch()
        >>> next(changes).share.status
        'available'
        >>> deleted = share.delete()
        >>> [change.share.status for change in changes][-1]
        'deleted'
        """
        before: Share | None = None
        async for _, share in states(self._requests, [self.id]):
            if isinstance(share, ShareActorsError):
                raise share
            change = ShareChange(share, before)
            self._view = ShareView(share)
            if before is None or change.fields:
                before = share
                yield change
            if share.status in GONE:
                return


def _not_in_time(
    share_id: str, share: Share | None, wanted: Condition, timeout_s: float
) -> TimedOut:
    seen = "" if share is None else f": it is {share.status}"
    text = f"share {share_id}: not {wanted} within {timeout_s:.3g} s{seen}"
    return TimedOut(
        text,
        field="timeout",
        value=timeout_s,
        share_id=share_id,
        next_step=f"Nothing was changed. `share-actors share explain {share_id}` shows what it waits for.",
    )


class ShareWatching(HandlePart):
    """The same of `ShareHandle`."""

    wait_for = blocking_request(AsyncShareWatching.wait_for)

    def watch(self) -> Iterator[ShareChange]:
        """The share as it is now, then each change of it; ends once it is deleted or unmanaged.

        See `AsyncShare.watch`.

        >>> next(share.watch()).share.size
        10
        """
        changes: AsyncIterator[ShareChange] = self._share.watch()
        return each(changes)
