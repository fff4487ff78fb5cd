"""Events as they are recorded: in the order of the log, from a position on, without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from share_actors.client.requests import Requests
from share_actors.errors import InvalidRequest, showable, shown
from share_actors.events.envelope import Recorded
from share_actors.events.event_filter import EventFilter, event_filter, point_in_time

POLL_EVERY_S = 0.25
_MAX_POSITION = 2**63 - 1


def subscribe(requests: Requests, since: object, filters: Any) -> AsyncIterator[Recorded]:
    """Check the arguments, and follow the log; raises `InvalidRequest` at once."""
    chosen = event_filter(**filters)
    if isinstance(since, datetime):
        return _follow(requests, 0, chosen._replace(since=point_in_time("since", since)))
    return _follow(requests, _position(since), chosen)


def _position(since: object) -> int:
    if isinstance(since, int) and not isinstance(since, bool) and 0 <= since <= _MAX_POSITION:
        return since
    text = f"since: {shown(since)} is neither a position in the log, from 0, nor a datetime with a zone"
    raise InvalidRequest(text, field="since", value=showable(since))


async def _follow(requests: Requests, after: int, chosen: EventFilter) -> AsyncIterator[Recorded]:
    while True:
        events, after, head = await requests.catalog.call("events", after, chosen)
        for recorded in events:
            yield recorded
        if after >= head:
            await asyncio.sleep(POLL_EVERY_S)
