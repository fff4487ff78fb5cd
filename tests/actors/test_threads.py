"""Driver calls in threads: off the loop, bounded, with a deadline."""

import asyncio
import threading
import time
from typing import Any

from share_actors.actors.effects.driver_threads import DriverThreads
from tests.conftest import within


async def run(threads: DriverThreads, call: Any, timeout_s: float = 5.0) -> Any:
    result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    threads.submit(call, timeout_s, result.set_result)
    return await result


def make(limit: int = 4) -> DriverThreads:
    return DriverThreads(asyncio.get_running_loop(), limit, "test")


def test_a_call_runs_off_the_loop_and_its_result_comes_back_on_it() -> None:
    async def scenario() -> None:
        threads = make()

        assert await run(threads, threading.get_ident) != threading.get_ident()
        assert threads.outstanding == 0
        threads.close()

    within(5, scenario())


def test_the_exception_of_a_call_is_its_result() -> None:
    async def scenario() -> None:
        threads = make()

        def fail() -> None:
            raise OSError("no such backend")

        assert str(await run(threads, fail)) == "no such backend"
        assert isinstance(await run(threads, lambda: exec("raise SystemExit(3)")), SystemExit)
        threads.close()

    within(5, scenario())


def test_as_many_calls_run_at_once_as_the_limit_and_no_more() -> None:
    async def scenario() -> None:
        threads, running, most = make(limit=3), 0, 0
        lock, three_run = threading.Lock(), threading.Barrier(3)

        def count() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            three_run.wait()
            with lock:
                running -= 1

        await asyncio.gather(*(run(threads, count) for _ in range(12)))

        assert most == 3
        threads.close()

    within(5, scenario())


def test_a_call_past_its_deadline_is_a_timeout_and_its_thread_is_replaced() -> None:
    async def scenario() -> None:
        threads, gate = make(limit=1), threading.Event()

        result = await run(threads, gate.wait, timeout_s=0.2)

        assert isinstance(result, TimeoutError)
        assert threads.hung == 1
        assert await run(threads, lambda: "alive") == "alive"

        gate.set()
        while threads.hung:
            await asyncio.sleep(0.01)
        threads.close()

    within(10, scenario())


def test_a_deadline_counts_from_the_start_of_the_call_not_from_the_queue() -> None:
    async def scenario() -> None:
        threads = make(limit=1)

        def slow() -> str:
            time.sleep(0.15)
            return "done"

        results = await asyncio.gather(*(run(threads, slow, timeout_s=0.6) for _ in range(6)))

        assert results == ["done"] * 6
        threads.close()

    within(10, scenario())


def test_calls_that_wait_for_a_thread_are_counted() -> None:
    async def scenario() -> None:
        threads, gate = make(limit=2), threading.Event()
        calls = [asyncio.create_task(run(threads, gate.wait)) for _ in range(5)]
        while threads.waiting != 3:
            await asyncio.sleep(0.01)

        gate.set()
        await asyncio.gather(*calls)

        assert threads.waiting == 0
        threads.close()

    within(5, scenario())
