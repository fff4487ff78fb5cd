"""Queries that wait while the catalog is busy: equal ones are run once, and abandoned ones not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.shared_queries import SharedQueries
from share_actors.config import Config
from share_actors.errors import LogError, Unavailable
from share_actors.testing import InMemoryLog
from tests.conftest import within

T = TypeVar("T")
PATIENCE_S = 60.0


class CountedLog(InMemoryLog):
    """A log that counts how often its end was looked up."""

    looks = 0

    def head(self) -> int:
        self.looks += 1
        return super().head()


@asynccontextmanager
async def busy_catalog(home: Path) -> AsyncIterator[tuple[CatalogActor, CountedLog, Event]]:
    """A catalog whose thread is busy until the event is set."""
    log, free = CountedLog(), Event()
    catalog = CatalogActor(Config(home=home), open_log=lambda *_: log)
    await catalog.ask("share", share_id="s")
    busy = asyncio.ensure_future(catalog._run(free.wait))
    try:
        yield catalog, log, free
    finally:
        free.set()
        await busy
        await catalog.stop()


class Thread:
    """One thread for jobs, as the catalog has."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1)

    async def run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, job)


def queries(
    max_wait_s: float = PATIENCE_S, together: Callable[[], Any] = nullcontext
) -> SharedQueries:
    return SharedQueries(Thread().run, together, max_wait_s)


def test_queries_repeated_by_callers_that_left_are_answered_with_one_look_at_the_log(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with busy_catalog(tmp_path) as (catalog, log, free):
            looks, ids = log.looks, [f"s{n}" for n in range(20)]
            asked = [catalog.ask("share", share_id=i) for _ in range(50) for i in ids]
            waiting = [asyncio.ensure_future(each) for each in asked]
            await asyncio.sleep(0)
            free.set()

            assert await asyncio.gather(*waiting) == [None] * 1000
            assert log.looks - looks == 1

    within(30, scenario())


def test_a_status_that_is_asked_for_again_and_again_is_read_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with busy_catalog(tmp_path) as (catalog, log, free):
            waiting = [asyncio.ensure_future(catalog.status()) for _ in range(100)]
            await asyncio.sleep(0)
            looks = log.looks
            free.set()
            await asyncio.gather(*waiting)
            of_many, looks = log.looks - looks, log.looks

            await catalog.status()

            assert of_many == log.looks - looks

    within(30, scenario())


def test_a_query_sees_what_was_there_before_it_was_asked_although_an_equal_one_is_run() -> None:
    async def scenario() -> None:
        shared, recorded = queries(), list[str]()
        started, goes_on = Event(), Event()

        def look() -> int:
            seen = len(recorded)
            started.set()
            goes_on.wait()
            return seen

        first = asyncio.ensure_future(shared.ask("k", look))
        await asyncio.to_thread(started.wait)
        recorded.append("later")
        second = asyncio.ensure_future(shared.ask("k", look))
        await asyncio.sleep(0)
        goes_on.set()

        assert (await first, await second) == (0, 1)

    within(10, scenario())


def test_a_query_that_nobody_waits_for_any_more_is_not_run() -> None:
    async def scenario() -> None:
        ran = list[str]()

        with pytest.raises(Unavailable, match="waited too long") as caught:
            await queries(max_wait_s=-1.0).ask("k", lambda: ran.append("k"))

        assert not ran
        assert caught.value.details["passing"]

    within(10, scenario())


def test_a_caller_that_leaves_does_not_end_the_query_of_others() -> None:
    async def scenario() -> None:
        shared = queries()
        leaves, stays = (asyncio.ensure_future(shared.ask("k", lambda: 7)) for _ in range(2))
        await asyncio.sleep(0)

        leaves.cancel()

        assert await stays == 7

    within(10, scenario())


def test_the_error_of_a_query_is_that_of_its_callers_alone() -> None:
    async def scenario() -> None:
        shared = queries()

        def fail() -> None:
            raise LogError("damaged")

        asked = [shared.ask("a", fail), shared.ask("b", lambda: 1), shared.ask("a", fail)]
        damaged, fine, again = await asyncio.gather(*asked, return_exceptions=True)

        assert isinstance(damaged, LogError)
        assert isinstance(again, LogError)
        assert fine == 1

    within(10, scenario())


def test_queries_that_cannot_be_run_fail_and_later_ones_are_run() -> None:
    @contextmanager
    def log_fails() -> Iterator[None]:
        if failures:
            raise failures.pop()
        yield

    failures: list[Exception] = [LogError("the log can't be read")]

    async def scenario() -> None:
        shared = queries(together=log_fails)
        failed = [shared.ask(n, lambda: 1) for n in range(3)]

        errors = await asyncio.gather(*failed, return_exceptions=True)

        assert [type(error) for error in errors] == [LogError] * 3
        assert await shared.ask(0, lambda: 2) == 2
        assert not len(shared)

    within(10, scenario())
