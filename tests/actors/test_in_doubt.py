"""Requests whose commit got no reply: they are repeated by the same id, and an error says what is unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import OperationalError, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder

from share_actors import testing
from share_actors.client.doubt import in_doubt
from share_actors.client.receipt import Receipt
from share_actors.client.requests import Requests
from share_actors.client.share.handle import AsyncShare
from share_actors.errors import Busy, LogError, LogInDoubt, ShareActorsError, TimedOut, Unavailable
from share_actors.events.log.memory import LogMemory
from share_actors.events.share.messages import DeleteShare
from share_actors.testing import InMemoryLog
from share_actors.values import RequestContext
from tests.actors.in_process import tell
from tests.conftest import within


class FailingStorage(POPOApplicationRecorder):
    """A database that can be full, or commits, loses the reply, and is away until it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = self.loses_reply = self.is_away = self.cannot_read = False
        self.committed: Callable[[], None] | None = None
        """What happens right after the next commit."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        self._check()
        if self.is_full:
            raise OperationalError("the disk is full")
        ids = super().insert_events(stored_events, **kwargs)
        if not any(str(event.originator_id).startswith("share-") for event in stored_events):
            return ids  # of a backend's report
        if self.committed is not None:
            happens, self.committed = self.committed, None
            happens()
        if self.loses_reply:
            self.loses_reply, self.is_away = False, True
            self._check()
        return ids

    def select_events(self, *args: Any, **kwargs: Any) -> Sequence[StoredEvent]:
        self._check()
        if self.cannot_read:
            raise OperationalError("the server does not answer")
        return super().select_events(*args, **kwargs)

    def _check(self) -> None:
        if self.is_away:
            raise OperationalError("the server does not answer")


@asynccontextmanager
async def share_on(storage: FailingStorage) -> AsyncIterator[tuple[AsyncShare, Any]]:
    """A share, and the system that it is on."""
    memory = LogMemory()
    memory.events = storage
    log = InMemoryLog(memory=memory)
    async with testing.system(log=log) as system:
        yield await system.create_share(size=1), system
    log.close()


async def come_back(storage: FailingStorage) -> None:
    """End the outage once it has begun and a request has met it again."""
    while not (storage.is_away or storage.cannot_read):
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    storage.is_away = storage.cannot_read = False


def events_of(command_id: str, history: list[Any]) -> int:
    """How many events of the history record the request."""
    return len([item for item in history if item.envelope.command_id == command_id])


def test_a_request_whose_commit_got_no_reply_is_done_once_when_the_database_is_back() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, _):
            storage.loses_reply = True
            back = asyncio.create_task(come_back(storage))

            await share.extend(2, command_id="extend")

            await back
            assert share.size == 2
            assert events_of("extend", await share.history()) == 1

    within(30, scenario())


def test_a_request_whose_commit_is_unknown_at_its_timeout_says_so() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, system):
            storage.loses_reply = True
            with pytest.raises(LogInDoubt, match="unknown whether the request is recorded") as told:
                await share.extend(2, timeout=2.0)
            storage.is_away = False

            assert "nothing was recorded" not in str(told.value)
            receipt = await system.receipt(told.value.details["command_id"], share.id)
            assert receipt.status in ("accepted", "done")

    within(30, scenario())


def test_an_error_after_the_death_of_the_host_that_recorded_the_request_says_so() -> None:
    async def scenario() -> None:
        storage, deaths = FailingStorage(), list[asyncio.Task[None]]()
        async with share_on(storage) as (share, system):

            def dies() -> None:
                storage.is_away = True
                loop.call_soon_threadsafe(
                    lambda: deaths.append(loop.create_task(system.kill_host_of(share.id)))
                )

            loop, storage.committed = asyncio.get_running_loop(), dies
            with pytest.raises(LogInDoubt, match="unknown whether the request is recorded") as told:
                await share.extend(2, timeout=2.0)
            storage.is_away = False

            receipt = await system.receipt(told.value.details["command_id"], share.id)
            assert receipt.status in ("accepted", "done")

    within(30, scenario())


def lose_reads(storage: FailingStorage) -> None:
    """Let the next commit succeed, and reads fail from then on."""

    def lose() -> None:
        storage.cannot_read = True

    storage.committed = lose


def test_a_recorded_request_whose_share_cannot_be_read_is_no_error_of_the_log() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, system):
            assert share.receipt is not None
            receipt = await system.receipt(share.receipt.command_id, share.id)
            storage.is_away = True
            with pytest.raises(Unavailable, match="the request is recorded and goes on") as told:
                await share._requests.view_recorded(receipt, time.monotonic() + 1.0)
            storage.is_away = False

            assert "nothing was recorded" not in str(told.value)

    within(30, scenario())


class SilentManager:
    """A connection whose manager never replies."""

    catalog = None

    async def call_manager(self, *_: object) -> None:
        await asyncio.Event().wait()


def test_a_recorded_request_is_not_waited_for_beyond_its_deadline_if_the_manager_is_silent() -> (
    None
):
    async def scenario() -> None:
        connection: Any = SilentManager()
        requests = Requests(connection, RequestContext())

        with pytest.raises(Unavailable, match="recorded and goes on, but s1 cannot be read"):
            await requests.view_recorded(Receipt("s1", "c1", "accepted"), time.monotonic() + 0.2)

    within(10, scenario())


def test_a_rule_is_allowed_although_the_share_cannot_be_read_at_first() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, _):
            lose_reads(storage)
            back = asyncio.create_task(come_back(storage))

            rule = await share.allow_access("bob", wait=False)

            await back
            assert [each.id for each in (await share.refresh()).access_rules] == [rule.id]

    within(30, scenario())


def test_a_request_that_was_certainly_not_recorded_fails_at_once() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, _):
            storage.is_full = True
            with pytest.raises(LogError, match="disk is full; nothing was recorded") as told:
                await share.extend(2, timeout=600.0)
            storage.is_full = False

            assert told.type is LogError
            assert (await share.refresh()).size == 1

    within(30, scenario())


def test_a_recorded_request_is_waited_for_while_the_log_cannot_be_read() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, system):
            await share.extend(2, command_id="extend", wait=False)
            storage.is_away = True
            await system.kill_host_of(share.id)
            back = asyncio.create_task(come_back(storage))

            await share.extend(2, command_id="extend")
            await back
            assert (await share.refresh()).size == 2

    within(30, scenario())


def test_a_repeated_request_is_in_doubt_since_an_earlier_try_may_be_on_its_way() -> None:
    async def scenario() -> None:
        storage = FailingStorage()
        async with share_on(storage) as (share, _):
            storage.is_full = True
            with pytest.raises(LogInDoubt, match="unknown whether the request is recorded"):
                await share.extend(2, timeout=1.0, command_id="sent before")
            storage.is_full = False

    within(30, scenario())


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (LogError("full; nothing was recorded"), LogInDoubt),
        (Unavailable("the system is stopping; nothing was recorded"), Unavailable),
        (Busy("9 commands are waiting already"), TimedOut),
    ],
)
def test_an_error_of_the_last_try_says_nothing_about_the_first(
    last: ShareActorsError, kind: type[ShareActorsError]
) -> None:
    message = tell("s1", DeleteShare(), command_id=uuid4().hex)

    error = in_doubt(last, message, 3.0)

    assert type(error) is kind
    assert "nothing was recorded" not in str(error)
    assert "it is unknown whether the request is recorded" in str(error)
    assert error.details["command_id"] == message.command_id
