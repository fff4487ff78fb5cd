"""Requests of one share that end at once, more than its memory keeps."""

from __future__ import annotations

import asyncio

import pytest

from share_actors.actors.entity.turn import QueuedCommand
from share_actors.actors.messaging.messages import CommandReply
from share_actors.events.log import Log
from share_actors.events.receipts import MAX_SETTLED
from share_actors.events.share.access import AllowAccess
from tests.actors.fakes import CREATE, FakeWork, ShareEntity, entity, queued, tell
from tests.conftest import within


async def ended_by_one_event(
    share_entity: ShareEntity, work: FakeWork, n: int
) -> list[QueuedCommand[asyncio.Future[CommandReply]]]:
    """*n* requests for rules that wait while the first is applied; all have their outcomes."""
    await tell(share_entity, CREATE)
    work.paused = True
    items = [queued(allow(i)) for i in range(n)]
    for item in items:
        share_entity.put(item)
    await asyncio.gather(*(item.receipt for item in items))
    work.paused = False
    work.finish()
    await asyncio.gather(*(item.outcome for item in items if item.outcome))
    return items


def allow(n: int) -> AllowAccess:
    return AllowAccess(access_id=f"r{n}", access_type="user", access_to=f"u{n}")


@pytest.mark.parametrize("requests", [1, MAX_SETTLED, MAX_SETTLED + 1, 300])
def test_all_requests_that_one_event_ends_get_their_outcomes(log: Log, requests: int) -> None:
    async def scenario() -> None:
        work = FakeWork()
        share_entity = entity(log, work, fresh=True)
        items = await ended_by_one_event(share_entity, work, requests)

        outcomes = [item.outcome.result() for item in items if item.outcome]
        assert [outcome.status for outcome in outcomes] == ["done"] * requests

    within(30, scenario())


def test_the_outcome_of_a_request_is_found_in_the_log_when_memory_has_forgotten_it(
    log: Log,
) -> None:
    async def scenario() -> None:
        work = FakeWork()
        share_entity = entity(log, work, fresh=True)
        items = await ended_by_one_event(share_entity, work, 300)

        outcome = await share_entity.outcome_of(items[0].message.command_id)
        assert (await outcome).status == "done"

    within(30, scenario())
