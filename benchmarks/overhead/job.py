"""The system and the bare application in turn: creates in bulk, 64 in flight and one at a time, and rules."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.loads import Job, allowing, create_in_bulk, in_flight, memory_system
from benchmarks.overhead.accounts import Account
from benchmarks.overhead.bare import BareSystem, Item
from share_actors import config
from share_actors.client import aio

_ROUNDS = 3
_BODY = b"x" * 300


class Workload(NamedTuple):
    """So many *commands*, *lanes* of them in flight at a time; 0: all of them in one call."""

    name: str
    commands: int
    lanes: int


class Sizes(NamedTuple):
    """The rows that a command writes, and the bytes of each."""

    rows: int
    bytes: int


_SIZES = Sizes(3, 500)


class Side(NamedTuple):
    """One of the two: its log, its bulk call, and what prepares the single call of a workload."""

    log: Path
    bulk: Callable[[int, Sizes], Awaitable[object]]
    prepare: Callable[[str, Sizes], Awaitable[Job]]


def run(directory: Path, scale: float) -> dict[str, float]:
    """Rates, processor time, commits and bytes a command, and the ratios to the bare application."""
    settings = memory_system(directory / "overhead", "share-actors-overhead")
    return asyncio.run(_measure(settings, directory, scale))


def workloads(scale: float) -> list[Workload]:
    """What is measured, by the share *scale* of the whole."""
    return [
        Workload("bulk", int(6_000 * scale), 0),
        Workload("in_flight_64", int(3_000 * scale), 64),
        Workload("one_at_a_time", int(300 * scale), 1),
        Workload("allow_64", int(3_000 * scale), 64),
    ]


async def _measure(settings: config.Config, directory: Path, scale: float) -> dict[str, float]:
    system = await aio.start(settings)
    bare = BareSystem(directory / "bare.db", settings.hosting.min_actors)
    try:
        sides = (
            Side(settings.log_path, partial(_bulk, system), partial(_calls, system)),
            Side(directory / "bare.db", partial(_bare_bulk, bare), partial(_bare_calls, bare)),
        )
        for side in sides:  # files and connections are made
            await side.bulk(200, _SIZES)
        figures: dict[str, float] = {}
        for work in workloads(scale):
            figures |= await _compare(*sides, work, lambda: system.shares(limit=1))
        return figures
    finally:
        bare.close()
        await system.close()


async def _compare(ours: Side, bare: Side, work: Workload, settle: Job) -> dict[str, float]:
    """Both sides in turn, a few times: the medians and their ratios."""
    runs: dict[str, list[dict[str, float]]] = {"": [], "bare_": []}
    for _ in range(_ROUNDS):
        await settle()
        own = await _once(ours, work, _SIZES, settle)
        rows = round(own["events"])
        sizes = Sizes(rows, round(own["bytes"] / rows))
        runs[""].append(own)
        runs["bare_"].append(await _once(bare, work, sizes))
    figures = {
        f"{prefix}{work.name}_{key}": median(each.get(key, 0.0) for each in some)
        for prefix, some in runs.items()
        for key in some[0]
    }
    ratios = {"cpu_us": "cpu_ratio", "ms_p50": "ms_p50_ratio", "per_s": "share_of_bare"}
    for key, ratio in ratios.items():
        if (name := f"{work.name}_{key}") in figures:
            figures[f"{work.name}_{ratio}"] = figures[name] / figures[f"bare_{name}"]
    return figures


async def _once(
    side: Side, work: Workload, sizes: Sizes, settle: Job | None = None
) -> dict[str, float]:
    """One run of *work*; what *settle* waits for, the catalog's work, is in the processor time."""
    job = await side.prepare(work.name, sizes)
    before = Account.now(side.log)
    start = time.perf_counter()
    latencies = await in_flight(job, work.commands, work.lanes) if work.lanes else []
    if not work.lanes:
        await side.bulk(work.commands, sizes)
    seconds = time.perf_counter() - start
    if settle is not None:
        await settle()
    used = Account.now(side.log).each(before, work.commands)
    figures = {"per_s": work.commands / seconds, **used}
    return figures | ({"ms_p50": 1000 * median(latencies)} if work.lanes == 1 else {})


async def _bulk(system: aio.AsyncShareSystem, count: int, _: Sizes) -> object:
    return await create_in_bulk(system, count)


async def _calls(system: aio.AsyncShareSystem, name: str, _: Sizes) -> Job:
    """A call that creates a share, or one that allows the next client on the next of 64 shares."""
    if name != "allow_64":
        return lambda: system.create_share(size=1)
    return allowing(await create_in_bulk(system, 64))


async def _bare_bulk(bare: BareSystem, count: int, sizes: Sizes) -> object:
    return await asyncio.gather(*(bare.run(_new(sizes)) for _ in range(count)))


def _new(sizes: Sizes) -> Item:
    return Item(str(uuid.uuid4()), 1, _BODY, *sizes)


async def _bare_calls(bare: BareSystem, name: str, sizes: Sizes) -> Job:
    if name != "allow_64":
        return lambda: bare.run(_new(sizes))
    streams, numbers = [str(uuid.uuid4()) for _ in range(64)], itertools.count()

    def allow() -> Awaitable[object]:
        n = next(numbers)
        return bare.run(Item(streams[n % 64], 1 + n // 64 * sizes.rows, _BODY, *sizes))

    return allow
