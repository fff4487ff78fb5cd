"""Commands through the whole system: client, manager, share actors, log, driver without delay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from share_actors import config
from share_actors.client import aio
from share_actors.client.share import AsyncShare
from share_actors.errors import ShareActorsError


def run(directory: Path, scale: float) -> dict[str, float]:
    """Figures per second and in ms; the log is a SQLite file with synchronous=FULL in *directory*."""
    settings = config.build(
        {
            "home": directory / "home",
            "namespace": "share-actors-bench",
            "backends": {"memory": {"driver": "dummy", "options": {}}},
        }
    )
    return asyncio.run(_measure(settings, scale))


async def _measure(settings: config.Config, scale: float) -> dict[str, float]:
    system = await aio.start(settings)
    try:
        await _bulk(system, 500)  # warm: processes started, code compiled, files made
        bulk, single = int(10_000 * scale), int(5_000 * scale)
        create = _create(system)
        figures = {
            "creates_bulk_per_s": await _best(system, lambda: _bulk(system, bulk)),
            "creates_64_per_s": await _best(system, lambda: _in_flight(create, single, 64)),
        }
        await _settled(system)
        serial = sorted([await _timed(create) for _ in range(int(500 * scale))])
        figures["create_serial_ms_p50"] = 1000 * median(serial)
        figures["create_serial_ms_p99"] = 1000 * serial[int(len(serial) * 0.99)]
        figures["allow_64_per_s"] = await _best(system, lambda: _allow(system, int(6400 * scale)))
        return figures
    finally:
        await system.close()


async def _best(
    system: aio.AsyncShareSystem, job: Callable[[], Awaitable[float]], times: int = 3
) -> float:
    """The machine is shared with others: what it can do is the best of some runs."""
    rates = []
    for _ in range(times):
        await _settled(system)
        rates.append(await job())
    return max(rates)


async def _settled(system: aio.AsyncShareSystem) -> None:
    """The catalog is up with the log: a figure shall not pay for what was measured before it."""
    await system.shares(limit=1)


async def _bulk(system: aio.AsyncShareSystem, count: int) -> float:
    """Creates per second of one `create_shares`, request and outcome recorded."""
    began = time.perf_counter()
    made = await system.create_shares([{"size": 1}] * count)
    took = time.perf_counter() - began
    for share in made:
        if isinstance(share, ShareActorsError) or share.status != "available":
            raise SystemExit(f"a create failed: {share}")
    return count / took


def _create(system: aio.AsyncShareSystem) -> Callable[[], Awaitable[object]]:
    return lambda: system.create_share(size=1)


async def _timed(job: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await job()
    return time.perf_counter() - began


async def _in_flight(job: Callable[[], Awaitable[object]], count: int, lanes: int) -> float:
    """Calls per second of *count* single calls, *lanes* of them in flight from one client."""
    left = iter(range(count))

    async def lane() -> None:
        for _ in left:
            await job()

    took = await _timed(lambda: asyncio.gather(*(lane() for _ in range(lanes))))
    return count / took


async def _allow(system: aio.AsyncShareSystem, count: int) -> float:
    """Rules per second, recorded and applied, 64 in flight over 64 shares."""
    made = await system.create_shares([{"size": 1}] * 64)
    shares = [share for share in made if isinstance(share, AsyncShare)]
    turn = iter(range(count))

    async def allow() -> None:
        n = next(turn)
        client = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        await shares[n % 64].allow_access(client, type="ip")

    return await _in_flight(allow, count, 64)
