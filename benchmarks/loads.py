"""A system without delays of storage, and the loads that several benchmarks put on it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from share_actors import config
from share_actors.client import aio
from share_actors.client.share.handle import AsyncShare
from share_actors.errors import ShareActorsError

Job = Callable[[], Awaitable[object]]


def memory_system(home: Path, namespace: str, **changes: object) -> config.Config:
    """A configuration with an SQLite log of synchronous=FULL in *home* and a backend that does nothing."""
    backends = {"memory": {"driver": "dummy", "options": {}}}
    return config.build({"home": home, "namespace": namespace, "backends": backends, **changes})


async def create_in_bulk(system: aio.AsyncShareSystem, count: int) -> list[AsyncShare]:
    """The shares of one `create_shares`, each available; exits if one is not."""
    shares = []
    for share in await system.create_shares([{"size": 1}] * count):
        if isinstance(share, ShareActorsError) or share.status != "available":
            raise SystemExit(f"a create failed: {share}")
        shares.append(share)
    return shares


async def in_flight(job: Job, count: int, lanes: int) -> list[float]:
    """Make *count* calls of *job*, *lanes* of them at a time; the seconds of each."""
    numbers, latencies = iter(range(count)), list[float]()

    async def lane() -> None:
        for _ in numbers:
            start = time.perf_counter()
            await job()
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return latencies


def allowing(shares: Sequence[AsyncShare]) -> Job:
    """A call that allows the next client on the next of *shares*."""
    numbers = itertools.count()

    async def allow() -> object:
        n = next(numbers)
        client = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        return await shares[n % len(shares)].allow_access(client, type="ip")

    return allow
