"""A fast backend, alone and while 1,000 driver calls of a slow one run in the same share actor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from share_actors import config
from share_actors.client import aio

SLOW_CALLS = 1_000
SLOW_S = 3_600.0
MAX_WAIT_S = 120.0
ROUNDS = 10
WATCHED_S = 20.0


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds of a create at a time on the fast backend, in two systems in turn, and their ratios.

    The first system has no other work. In the other, 1,000 driver calls are under way, and as many
    requests of one client wait for them.
    """
    return asyncio.run(_measure(directory, int(50 * scale)))


async def _measure(directory: Path, creates: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        alone = await _started(stack, directory / "alone")
        beside = await _started(stack, directory / "beside")
        waiting = [
            asyncio.create_task(beside.create_share(size=1, backend="slow", timeout=SLOW_S))
            for _ in range(SLOW_CALLS)
        ]
        await _until_all_run(beside)
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for system, of_system in zip((alone, beside), taken, strict=True):
                of_system.extend(await _milliseconds(system, creates))
        idle_s = await _idle_cpu_s(alone, beside)
        for request in waiting:
            request.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return {**_figures(*taken), "waiting_clients_cpu_us_per_s": 1e6 * idle_s / SLOW_CALLS}


async def _started(stack: AsyncExitStack, home: Path) -> aio.AsyncShareSystem:
    slow = {"driver": "dummy", "threads": SLOW_CALLS, "timeout_s": 2 * SLOW_S}
    settings = config.build(
        {
            "home": home,
            "namespace": f"share-actors-bench-{home.name}",
            "hosting": {"min_actors": 1, "max_actors": 1},
            "backends": {
                "fast": {"driver": "dummy"},
                "slow": {**slow, "options": {"delay_s": SLOW_S}},
            },
        }
    )
    system = await aio.start(settings)
    stack.push_async_callback(system.close, timeout=0.0)
    await _milliseconds(system, 50)  # warm-up: processes started, files created
    return system


async def _milliseconds(system: aio.AsyncShareSystem, creates: int) -> list[float]:
    taken = []
    for _ in range(creates):
        start = time.perf_counter()
        await system.create_share(size=1, backend="fast")
        taken.append(1000 * (time.perf_counter() - start))
    return taken


async def _until_all_run(system: aio.AsyncShareSystem) -> None:
    """Return once every slow call has a thread; raises SystemExit if that takes too long."""
    until = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < until:
        await asyncio.sleep(1.5)  # the reports of share actors come each second
        [actor] = (await system.status())["manager"]["actors"]
        counts = await system.count_shares(backend="slow")
        if counts == {"creating": SLOW_CALLS} and not actor.get("waiting_for_thread"):
            return
    raise SystemExit("the slow calls have no threads")


async def _idle_cpu_s(alone: aio.AsyncShareSystem, beside: aio.AsyncShareSystem) -> float:
    """Processor seconds a second that the waiting requests take: all processes, less the idle system's.

    This process has the clients of both systems: all that it takes counts as the waiting requests'.
    """
    pids = [list(_pids(await system.status())) for system in (alone, beside)]
    before = [_cpu_s(of_system) for of_system in pids]
    client, start = time.process_time(), time.perf_counter()
    await asyncio.sleep(WATCHED_S)
    used = [_cpu_s(pids[n]) - before[n] for n in range(2)]
    seconds = time.perf_counter() - start
    return (used[1] - used[0] + time.process_time() - client) / seconds


def _pids(status: Any) -> Iterator[int]:
    yield status["manager"]["pid"]
    yield from (actor["pid"] for actor in status["manager"]["actors"])


def _cpu_s(pids: list[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _figures(alone: list[float], beside: list[float]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, taken in (("fast_alone", alone), ("fast_beside_slow", beside)):
        hundredths = quantiles(taken, n=100)
        figures |= {f"{name}_ms_p50": hundredths[49], f"{name}_ms_p99": hundredths[98]}
    for part in ("p50", "p99"):
        ratio = figures[f"fast_beside_slow_ms_{part}"] / figures[f"fast_alone_ms_{part}"]
        figures[f"fast_beside_slow_{part}_ratio"] = ratio
    return figures
