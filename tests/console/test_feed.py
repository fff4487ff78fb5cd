"""New events for many viewers, by one subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import cast

import pytest

from share_actors.cli.console import app
from share_actors.cli.console import feed as feeds
from share_actors.cli.console.app import Console
from share_actors.cli.console.feed import WAITING, Feed, Interrupted, Missed, News, Resumed, Viewer
from share_actors.cli.console.guard import Keys
from share_actors.cli.console.source import About, Source
from share_actors.errors import InvalidRequest, ShareActorsError, Unavailable
from share_actors.events.envelope import Recorded
from share_actors.events.share.messages import ShareDeleted
from share_actors.values import RequestContext
from tests.console.site import browser_of
from tests.events.share_events import envelope
from tests.waiting import until_async


def event(position: int) -> Recorded:
    return Recorded("share-s1", position, str(position), envelope(), ShareDeleted(), position)


class ScriptedLog:
    """A log that a test adds to, breaks and mends; *opened* are the positions of the subscriptions."""

    def __init__(self, count: int = 0) -> None:
        self.events_recorded = [event(n) for n in range(1, count + 1)]
        self.problem: ShareActorsError | None = None
        self.opened: list[int] = []
        self.open = 0

    def add(self, count: int = 1) -> None:
        first = len(self.events_recorded) + 1
        self.events_recorded += [event(n) for n in range(first, first + count)]

    def _check(self) -> None:
        if self.problem is not None:
            raise self.problem

    async def about(self) -> About:
        return About("share-actors", RequestContext(user_id="alice"))

    async def recent(self, count: int) -> Sequence[Recorded]:
        self._check()
        return self.events_recorded[-count:]

    async def events(self, since: int) -> AsyncGenerator[Sequence[Recorded], None]:
        self._check()
        if since > len(self.events_recorded):
            raise InvalidRequest("since: beyond the end of the log")
        self.opened.append(since)
        self.open += 1
        try:
            while True:
                self._check()
                batch = self.events_recorded[since:]
                since += len(batch)
                yield batch
                await asyncio.sleep(0.001)
        finally:
            self.open -= 1


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RETRY_S", 0.001)


def follow(scenario: Callable[[ScriptedLog, Feed], Awaitable[None]], count: int = 0) -> None:
    async def run() -> None:
        log = ScriptedLog(count)
        async with asyncio.timeout(30):
            await scenario(log, Feed(cast("Source", log)))

    asyncio.run(run())


async def take(viewer: Viewer, count: int) -> list[News | int]:
    """The next *count* news of a viewer, events as their positions."""
    taken: list[News | int] = []
    for _ in range(count):
        one = await viewer.next()
        taken.append(one.position if isinstance(one, Recorded) else one)
    return taken


def test_viewers_share_a_subscription_and_the_last_one_ends_it() -> None:
    async def scenario(log: ScriptedLog, feed: Feed) -> None:
        with feed.viewer(1) as first:
            assert await take(first, 2) == [2, 3]
            with feed.viewer(2) as second:
                assert await take(second, 1) == [3]
                log.add()
                assert await take(first, 1) == await take(second, 1) == [4]
                assert (log.opened, log.open, feed.viewers) == ([1], 1, 2)

        assert feed.viewers == 0
        await until_async(lambda: log.open == 0)

    follow(scenario, 3)


def test_a_viewer_that_does_not_read_loses_the_oldest_and_delays_nobody() -> None:
    async def scenario(log: ScriptedLog, feed: Feed) -> None:
        with feed.viewer(0) as slow, feed.viewer(0) as quick:
            assert await take(slow, 1) == await take(quick, 1) == [1]
            for _ in range(3):
                log.add(100)
                await take(quick, 100)

            assert await take(slow, 2) == [Missed(300 - WAITING), 302 - WAITING]

    follow(scenario, 1)


def test_a_viewer_that_comes_back_late_is_told_that_events_were_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(log: ScriptedLog, feed: Feed) -> None:
        with feed.viewer(20) as first:
            await take(first, 10)
            with feed.viewer(5) as late:
                assert await take(late, 2) == [Missed(None), 21]

    follow(scenario, 30)


def test_after_an_interruption_events_go_on_without_a_gap() -> None:
    async def scenario(log: ScriptedLog, feed: Feed) -> None:
        with feed.viewer(0) as news:
            await take(news, 2)
            log.problem = Unavailable("the catalog is being restarted")
            assert await take(news, 1) == [Interrupted("the catalog is being restarted")]
            with feed.viewer(2) as later:
                assert await take(later, 1) == [Interrupted("the catalog is being restarted")]
                log.add()
                log.problem = None
                assert await take(later, 2) == await take(news, 2) == [Resumed(), 3]

    follow(scenario, 2)


def test_a_log_that_was_put_back_is_followed_from_its_end() -> None:
    async def scenario(log: ScriptedLog, feed: Feed) -> None:
        with feed.viewer(0) as news:
            await take(news, 9)
            log.problem = Unavailable("the system is down")
            assert await take(news, 1) == [Interrupted("the system is down")]
            del log.events_recorded[4:]
            log.problem = None
            told = [await take(news, 1) for _ in range(2)]
            log.add()

            assert [Missed(None)] in told
            assert (await take(news, 2))[-1] == 5

    follow(scenario, 9)


def test_a_browser_gets_rows_with_the_positions_from_which_it_goes_on() -> None:
    async def scenario(log: ScriptedLog, _: Feed) -> None:
        console = Console(cast("Source", log), Keys(), 8470)
        async with aclosing(console.told(0)) as lines:
            first = [await anext(lines) for _ in range(2)]
            log.problem = Unavailable("gone <b>")
            last = await anext(lines)

        assert first[0].startswith("retry: ")
        assert first[1].startswith("id: 1\nevent: recorded\ndata: <tr")
        assert first[1].endswith("\n\n")
        assert last == "event: interrupted\ndata: gone <b>\n\n"  # it is put into the page as text
        await until_async(lambda: log.open == 0)

    follow(scenario, 1)


def test_too_many_viewers_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_VIEWERS", 0)

    async def run() -> None:
        keys = Keys()
        async with browser_of(cast("Source", ScriptedLog()), keys) as browser:
            assert (await browser.get("/events/stream")).status_code == 503

    asyncio.run(run())
