"""Many shares through `system.bulk`: their rate, and the memory that the client takes for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.loads import memory_system
from share_actors import config
from share_actors.client import aio

SAMPLED_EVERY = 500
"""After how many results the memory is measured."""


class _Stream(NamedTuple):
    """Shares per second, and the most memory that the client's process had beyond that of before, in MB."""

    per_s: float
    grown_mb: float


def run(directory: Path, scale: float) -> dict[str, float]:
    """Figures for 10,000 shares, then 100,000, with an SQLite log of synchronous=FULL in *directory*."""
    settings = memory_system(directory / "bulk", "share-actors-bench-bulk")
    return asyncio.run(_measure(settings, scale))


async def _measure(settings: config.Config, scale: float) -> dict[str, float]:
    system = await aio.start(settings)
    try:
        await _stream(system, 2_000)  # warm-up: processes started, files created, memory taken
        few = await _stream(system, int(10_000 * scale))
        many = await _stream(system, int(100_000 * scale))
        return {
            "bulk_few_per_s": few.per_s,
            "bulk_many_per_s": many.per_s,
            "bulk_few_grown_mb": few.grown_mb,
            "bulk_many_grown_mb": many.grown_mb,
        }
    finally:
        await system.close()


async def _stream(system: aio.AsyncShareSystem, count: int) -> _Stream:
    process = psutil.Process()
    before = most = process.memory_info().rss
    start, ended = time.perf_counter(), 0
    async for result in system.bulk.create_shares(_items(count)):
        if not result.ok:
            raise SystemExit(f"a create failed: {result.error}")
        ended += 1
        if ended % SAMPLED_EVERY == 0:
            most = max(most, process.memory_info().rss)
    return _Stream(ended / (time.perf_counter() - start), (most - before) / 2**20)


def _items(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {"size": 1, "name": f"bulk-{number}"}
