"""Items gather while calls are in flight, and travel together."""

import asyncio

import pytest

from share_actors.actors.messaging.coalescer import Coalescer
from tests.conftest import within


def test_an_idle_coalescer_sends_at_once() -> None:
    async def scenario() -> None:
        batches: list[list[int]] = []

        async def send(items: list[int]) -> list[int]:
            batches.append(items)
            return [item * 10 for item in items]

        assert await Coalescer(send).put(1) == 10
        assert batches == [[1]]

    within(5, scenario())


def test_what_comes_while_a_call_is_in_flight_goes_together_in_the_next() -> None:
    async def scenario() -> None:
        batches: list[list[int]] = []
        gate = asyncio.Event()

        async def send(items: list[int]) -> list[int]:
            batches.append(items)
            await gate.wait()
            return items

        coalescer = Coalescer(send, lanes=1)
        first = coalescer.put(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [coalescer.put(n) for n in range(1, 6)]
        await asyncio.sleep(0.01)
        assert batches == [[0]]

        gate.set()
        await asyncio.gather(first, *others)

        assert batches == [[0], [1, 2, 3, 4, 5]]

    within(5, scenario())


def test_a_batch_has_a_largest_size() -> None:
    async def scenario() -> None:
        sizes: list[int] = []

        async def send(items: list[int]) -> list[int]:
            sizes.append(len(items))
            return items

        coalescer = Coalescer(send, max_batch=4, lanes=1)
        answers = await asyncio.gather(*(coalescer.put(n) for n in range(10)))

        assert answers == list(range(10))
        assert sizes == [4, 4, 2]

    within(5, scenario())


def test_a_failing_call_fails_its_own_batch_and_no_other() -> None:
    async def scenario() -> None:
        async def send(items: list[int]) -> list[int]:
            if 0 in items:
                raise ConnectionError("gone")
            return items

        coalescer = Coalescer(send, max_batch=1, lanes=1)
        bad, good = coalescer.put(0), coalescer.put(1)

        with pytest.raises(ConnectionError, match="gone"):
            await bad
        assert await good == 1

    within(5, scenario())


def test_a_caller_that_gave_up_does_not_disturb_the_others() -> None:
    async def scenario() -> None:
        async def send(items: list[int]) -> list[int]:
            await asyncio.sleep(0.01)
            return items

        coalescer = Coalescer(send)
        left, stayed = coalescer.put(1), coalescer.put(2)
        left.cancel()

        assert await stayed == 2

    within(5, scenario())
