"""Commands through the whole system: client, manager, hosts, log, and a driver without delay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from benchmarks.loads import Job, allowing, create_in_bulk, in_flight, memory_system
from share_actors import config
from share_actors.client import aio


def run(directory: Path, scale: float) -> dict[str, float]:
    """Figures per second and in ms; the log is an SQLite file with synchronous=FULL in *directory*."""
    settings = memory_system(directory / "home", "share-actors-bench")
    return asyncio.run(_measure(settings, scale))


async def _measure(settings: config.Config, scale: float) -> dict[str, float]:
    system = await aio.start(settings)
    try:
        await _bulk(system, 500)  # warm-up: processes started, files created
        bulk, single = int(10_000 * scale), int(5_000 * scale)
        create = _create(system)
        figures = {
            "creates_bulk_per_s": await _best(system, lambda: _bulk(system, bulk)),
            "creates_64_per_s": await _best(system, lambda: _in_flight(create, single, 64)),
        }
        await _catch_up(system)
        serial = sorted([await _seconds(create) for _ in range(int(500 * scale))])
        figures["create_serial_ms_p50"] = 1000 * median(serial)
        figures["create_serial_ms_p99"] = 1000 * serial[int(len(serial) * 0.99)]
        figures["allow_64_per_s"] = await _best(system, lambda: _allow(system, int(6400 * scale)))
        return figures
    finally:
        await system.close()


async def _best(
    system: aio.AsyncShareSystem, job: Callable[[], Awaitable[float]], times: int = 3
) -> float:
    """The best of some runs, because other programs share the machine."""
    rates = []
    for _ in range(times):
        await _catch_up(system)
        rates.append(await job())
    return max(rates)


async def _catch_up(system: aio.AsyncShareSystem) -> None:
    """Let the catalog catch up with the log, so that no figure includes earlier work."""
    await system.shares(limit=1)


async def _bulk(system: aio.AsyncShareSystem, count: int) -> float:
    """Creates per second of one `create_shares`, request and outcome recorded."""
    seconds = await _seconds(lambda: create_in_bulk(system, count))
    return count / seconds


def _create(system: aio.AsyncShareSystem) -> Job:
    return lambda: system.create_share(size=1)


async def _seconds(job: Job) -> float:
    start = time.perf_counter()
    await job()
    return time.perf_counter() - start


async def _in_flight(job: Job, count: int, lanes: int) -> float:
    """Calls per second of *count* single calls, *lanes* of them in flight from one client."""
    return count / await _seconds(lambda: in_flight(job, count, lanes))


async def _allow(system: aio.AsyncShareSystem, count: int) -> float:
    """Access rules per second, recorded and applied; 64 in flight over 64 shares."""
    return await _in_flight(allowing(await create_in_bulk(system, 64)), count, 64)
