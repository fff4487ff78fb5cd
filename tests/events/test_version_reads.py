"""Versions of streams that are asked for in one turn of the event loop are read together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from share_actors.errors import LogError
from share_actors.events.log.version_reads import VersionReads


class Versions:
    """Knows the version of every stream, and which were read together."""

    def __init__(self) -> None:
        self.reads: list[Sequence[str]] = []
        self.error: Exception | None = None

    def read(self, streams: Sequence[str]) -> Mapping[str, int]:
        self.reads.append(streams)
        if self.error is not None:
            raise self.error
        return {stream: len(stream) for stream in streams if stream != "none"}


def test_one_read_has_all_that_was_asked_for_in_a_turn_each_stream_once() -> None:
    versions = Versions()

    async def scenario() -> None:
        reads = VersionReads(versions.read)
        asked = ("a", "bb", "a", "none")
        assert await asyncio.gather(*map(reads.version, asked)) == [1, 2, 1, 0]
        assert await reads.version("a") == 1

    asyncio.run(scenario())
    assert versions.reads == [["a", "bb", "none"], ["a"]]


def test_what_is_asked_during_a_read_is_read_again() -> None:
    versions = Versions()

    async def scenario() -> None:
        reads = VersionReads(versions.read)
        first = asyncio.ensure_future(reads.version("a"))
        while not versions.reads:
            await asyncio.sleep(0)
        second = asyncio.ensure_future(reads.version("a"))
        await asyncio.gather(first, second)

    asyncio.run(scenario())
    assert versions.reads == [["a"], ["a"]]


def test_an_error_reaches_all_callers_and_the_next_read_is_not_disturbed() -> None:
    versions = Versions()
    versions.error = LogError("the disk is gone")

    async def scenario() -> None:
        reads = VersionReads(versions.read)
        asked = map(reads.version, ("a", "b"))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(each) for each in found] == ["the disk is gone"] * 2
        versions.error = None
        assert await reads.version("a") == 1

    asyncio.run(scenario())


def test_a_caller_that_is_cancelled_does_not_disturb_the_others() -> None:
    versions = Versions()

    async def scenario() -> None:
        reads = VersionReads(versions.read)
        cancelled = asyncio.ensure_future(reads.version("a"))
        other = asyncio.ensure_future(reads.version("bb"))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await other == 2
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    asyncio.run(scenario())


def test_each_event_loop_gets_its_own_answers() -> None:
    reads = VersionReads(Versions().read)

    assert [asyncio.run(reads.version(stream)) for stream in ("a", "bb")] == [1, 2]


def test_a_loop_that_is_closed_before_the_read_is_forgotten() -> None:
    reads = VersionReads(Versions().read)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        asked = loop.create_task(reads.version("a"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        asked.cancel()
        loop.close()

    assert asyncio.run(reads.version("bb")) == 2
    assert not reads._waiting
