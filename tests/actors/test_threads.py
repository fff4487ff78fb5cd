"""Driver calls in threads: off the loop, bounded, with a deadline."""

import asyncio
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest

from share_actors.actors.effects import driver_threads
from share_actors.actors.effects.driver_threads import FAST_THREADS, DriverThreads, NotBegun
from tests.conftest import within
from tests.waiting import until_async


async def run(threads: DriverThreads, call: Any, timeout_s: float = 5.0) -> Any:
    result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    threads.submit(call, timeout_s, result.set_result)
    return await result


def make(limit: int = 4, idle_s: float = 30.0) -> DriverThreads:
    return DriverThreads(asyncio.get_running_loop(), limit, "test", idle_s)


def wait_for(gate: threading.Event, n: int) -> int:
    gate.wait()
    return n


def alive(name: str = "test") -> int:
    return sum(thread.name.startswith(f"{name}-") for thread in threading.enumerate())


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


class TakesTheNextCallFirst(DriverThreads):
    """A thread ends a call that has just been found late, and takes the next one, before it is given up."""

    def __init__(self, late: threading.Event, next_began: threading.Event) -> None:
        super().__init__(asyncio.get_running_loop(), 1, "test")
        self.late, self.next_began = late, next_began

    def _expire(self, worker: Any, job: Any) -> None:
        self.late.set()
        self.next_began.wait()
        super()._expire(worker, job)


def test_a_thread_that_ends_a_late_call_in_time_is_not_given_up_with_its_next_call() -> None:
    async def scenario() -> None:
        late, began, gate = threading.Event(), threading.Event(), threading.Event()
        threads = TakesTheNextCallFirst(late, began)

        def second() -> None:
            began.set()
            gate.wait()

        results = await asyncio.gather(
            run(threads, lambda: late.wait() and "ended", timeout_s=0.2),
            run(threads, second, timeout_s=0.2),
        )

        assert results[0] == "ended"
        assert isinstance(results[1], TimeoutError)
        assert (threads.hung, threads.running) == (1, 0)
        gate.set()
        await until_async(lambda: not threads.hung)
        threads.close()

    within(10, scenario())


class TakenMeanwhile(SimpleQueue[Any]):
    """A queue whose last call is taken by a thread once it was found not to be empty."""

    def empty(self) -> bool:
        was_empty = super().empty()
        if not was_empty:
            self.get()
        return was_empty


def test_a_call_that_a_thread_takes_during_a_withdrawal_does_not_stop_the_loop() -> None:
    async def scenario() -> None:
        threads = make()
        threads._queues.jobs = TakenMeanwhile()
        threads._queues.jobs.put(None)

        threads.withdraw()

        threads.close()

    within(5, scenario())


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


def test_slow_calls_get_as_many_threads_as_the_limit_and_no_more() -> None:
    async def scenario() -> None:
        threads, gate = make(limit=60), threading.Event()
        calls = [asyncio.create_task(run(threads, gate.wait)) for _ in range(100)]

        await until_async(lambda: threads.waiting == 40)

        assert alive() == threads.running == 60
        gate.set()
        await asyncio.gather(*calls)
        threads.close()

    within(20, scenario())


def test_fast_calls_share_few_threads_however_many_wait() -> None:
    async def scenario() -> None:
        threads = make(limit=500)

        await asyncio.gather(*(run(threads, lambda: sum(range(2000))) for _ in range(5000)))

        assert threads.running <= FAST_THREADS
        threads.close()

    within(30, scenario())


def test_threads_that_nobody_needs_end_and_later_calls_get_new_ones() -> None:
    async def scenario() -> None:
        threads, gate = make(limit=30, idle_s=0.1), threading.Event()
        calls = [asyncio.create_task(run(threads, gate.wait)) for _ in range(30)]
        await until_async(lambda: threads.running == 30)

        gate.set()
        await asyncio.gather(*calls)
        await until_async(lambda: alive() == 0)

        assert threads.running == 0
        assert await run(threads, lambda: "alive") == "alive"
        await until_async(lambda: alive() == 0)

    within(20, scenario())


def test_a_call_that_waits_knows_its_place_in_line_and_moves_up() -> None:
    async def scenario() -> None:
        threads, gates = make(limit=1), [threading.Event() for _ in range(4)]
        ended: list[int] = []
        for n, gate in enumerate(gates):
            threads.submit(partial(wait_for, gate, n), 5.0, ended.append, f"share {n}")
        await until_async(lambda: threads.waiting == 3)

        assert [threads.place(f"share {n}") for n in range(4)] == [None, 1, 2, 3]
        gates[0].set()
        await until_async(lambda: threads.place("share 3") == 2)
        for gate in gates:
            gate.set()
        await until_async(lambda: ended == [0, 1, 2, 3])

        assert [threads.place(f"share {n}") for n in range(5)] == [None] * 5
        threads.close()

    within(5, scenario())


def test_a_call_that_is_withdrawn_is_never_made_and_one_under_way_ends() -> None:
    async def scenario() -> None:
        threads, gate, made = make(limit=1), threading.Event(), []
        first = asyncio.create_task(run(threads, gate.wait))
        second = asyncio.create_task(run(threads, lambda: made.append("second")))
        await until_async(lambda: threads.waiting == 1)

        threads.withdraw()
        third = await run(threads, lambda: made.append("third"))

        assert isinstance(await second, NotBegun)
        assert isinstance(third, NotBegun)
        gate.set()
        assert await first is True
        assert made == []
        threads.close()

    within(5, scenario())


def test_a_call_waits_while_the_machine_has_no_thread_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, refused = threading.Thread.start, list[str]()

    def start_later(thread: threading.Thread) -> None:
        if len(refused) < 3:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    async def scenario() -> None:
        monkeypatch.setattr(driver_threads, "RETRY_S", 0.01)
        monkeypatch.setattr(threading.Thread, "start", start_later)
        threads = make()

        assert await run(threads, lambda: 1) == 1
        assert refused == ["test-1"] * 3
        assert threads.running == 1
        threads.close()

    within(5, scenario())
