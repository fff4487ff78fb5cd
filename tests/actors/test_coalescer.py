"""Coalescing: items that arrive while calls are in flight go together in the next call."""

import asyncio

import pytest

from share_actors.actors.messaging.coalescer import Coalescer, at_once
from tests.conftest import within


def test_an_idle_coalescer_sends_at_once() -> None:
    async def scenario() -> None:
        batches: list[list[int]] = []

        async def send(items: list[int]) -> list[int]:
            batches.append(items)
            return [item * 10 for item in items]

        assert await Coalescer(at_once(send)).put(1) == 10
        assert batches == [[1]]

    within(5, scenario())


def test_items_that_arrive_while_a_call_is_in_flight_go_together_in_the_next() -> None:
    async def scenario() -> None:
        batches: list[list[int]] = []
        gate = asyncio.Event()

        async def send(items: list[int]) -> list[int]:
            batches.append(items)
            await gate.wait()
            return items

        coalescer = Coalescer(at_once(send), lanes=1)
        first = coalescer.put(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [coalescer.put(n) for n in range(1, 6)]
        await asyncio.sleep(0.01)
        assert batches == [[0]]

        gate.set()
        await asyncio.gather(first, *later)

        assert batches == [[0], [1, 2, 3, 4, 5]]

    within(5, scenario())


def test_no_batch_is_larger_than_the_limit() -> None:
    async def scenario() -> None:
        sizes: list[int] = []

        async def send(items: list[int]) -> list[int]:
            sizes.append(len(items))
            return items

        coalescer = Coalescer(at_once(send), max_batch=4, lanes=1)
        results = await asyncio.gather(*(coalescer.put(n) for n in range(10)))

        assert results == list(range(10))
        assert sizes == [4, 4, 2]

    within(5, scenario())


def test_a_failed_call_fails_only_its_own_batch() -> None:
    async def scenario() -> None:
        async def send(items: list[int]) -> list[int]:
            if 0 in items:
                raise ConnectionError("gone")
            return items

        coalescer = Coalescer(at_once(send), max_batch=1, lanes=1)
        failed, sent = coalescer.put(0), coalescer.put(1)

        with pytest.raises(ConnectionError, match="gone"):
            await failed
        assert await sent == 1

    within(5, scenario())


def test_a_cancelled_caller_does_not_affect_the_other_items_of_its_batch() -> None:
    async def scenario() -> None:
        async def send(items: list[int]) -> list[int]:
            await asyncio.sleep(0.01)
            return items

        coalescer = Coalescer(at_once(send))
        cancelled, kept = coalescer.put(1), coalescer.put(2)
        cancelled.cancel()

        assert await kept == 2

    within(5, scenario())
