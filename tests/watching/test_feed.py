"""Which shares were changed after a position: one reader of the log for all that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from share_actors.actors import share_feed
from share_actors.actors.share_feed import ShareFeed
from share_actors.errors import InvalidRequest, LogError
from tests.conftest import within

T = TypeVar("T")


class Rows:
    """The streams of a log's rows, whose positions begin with 1."""

    def __init__(self, *streams: str) -> None:
        self.streams, self.reads = list(streams), 0
        self.error: Exception | None = None

    def head(self) -> int:
        if self.error is not None:
            raise self.error
        return len(self.streams)

    def plain_rows(self, after: int, limit: int, /) -> Sequence[tuple[int, str, int, str, bytes]]:
        self.reads += 1
        rows = [(n, stream, 1, "", b"") for n, stream in enumerate(self.streams, 1) if n > after]
        return rows[:limit]


async def read(job: Callable[[], T]) -> T:
    await asyncio.sleep(0)
    return job()


def test_changes_that_are_there_already_are_returned_at_once() -> None:
    async def scenario() -> None:
        feed = ShareFeed(read, Rows("share-a", "share_network-n", "share-b", "share-a"))

        assert await feed.after(0, 9) == (["b", "a"], 4)
        assert await feed.after(2, 9) == (["b", "a"], 4)
        assert await feed.after(4, 0) == ([], 4)

    within(30, scenario())


def test_a_waiter_is_woken_by_a_change() -> None:
    async def scenario() -> None:
        rows = Rows("share-a")
        feed = ShareFeed(read, rows)
        waiting = [asyncio.create_task(feed.after(1, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        rows.streams.append("share-b")

        assert await asyncio.gather(*waiting) == [(["b"], 2)] * 3

    within(30, scenario())


def test_events_of_other_entities_move_the_position_on() -> None:
    async def scenario() -> None:
        rows = Rows("share-a")
        feed = ShareFeed(read, rows)
        waiting = asyncio.create_task(feed.after(1, 60))
        await asyncio.sleep(0)
        rows.streams.append("backend-fast")

        assert await waiting == ([], 2)

    within(30, scenario())


def test_nothing_is_read_while_nobody_waits() -> None:
    async def scenario() -> int:
        rows = Rows("share-a")
        feed = ShareFeed(read, rows)
        await feed.after(1, 0.01)
        reader = feed._reader
        assert reader is not None
        await reader

        return rows.reads

    assert within(30, scenario()) <= 1


def test_changes_older_than_those_kept_are_read_from_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(share_feed, "KEPT", 1)

    async def scenario() -> None:
        rows = Rows()
        feed = ShareFeed(read, rows)
        waiting = asyncio.create_task(feed.after(0, 60))
        await asyncio.sleep(0)
        rows.streams += ["share-a", "share-b", "share-c"]
        await waiting
        held = asyncio.create_task(feed.after(3, 60))

        assert await feed.after(0, 9) == (["a", "b", "c"], 3)
        assert await feed.after(2, 9) == (["c"], 3)
        held.cancel()

    within(30, scenario())


def test_an_error_of_the_log_ends_the_wait_and_the_next_one_reads_again() -> None:
    async def scenario() -> None:
        rows = Rows("share-a")
        feed = ShareFeed(read, rows)
        waiting = asyncio.create_task(feed.after(1, 60))
        await asyncio.sleep(0.01)
        rows.error = LogError("the disk is gone")
        with pytest.raises(LogError, match="the disk is gone"):
            await waiting
        rows.error = None

        assert await feed.after(0, 9) == (["a"], 1)

    within(30, scenario())


def test_a_position_of_another_log_is_refused() -> None:
    async def scenario() -> None:
        with pytest.raises(InvalidRequest, match="beyond the log's last position, 1"):
            await ShareFeed(read, Rows("share-a")).after(7, 9)

    within(30, scenario())
