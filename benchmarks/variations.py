"""What parts that are off by default cost a command: a system with each of them beside one without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

from benchmarks.loads import create_in_bulk, in_flight, memory_system
from benchmarks.overhead.accounts import Account
from share_actors.client import aio

_ROUNDS = 5
_BASE = "plain"

Load = Callable[[aio.AsyncShareSystem, int], Awaitable[None]]


def variations(directory: Path) -> Mapping[str, Mapping[str, object]]:
    """The configuration of each part by its name."""
    checkpoints = {"checkpoints": str(directory / "checkpoints"), "every_s": 2.0}
    sealed = {"seal": ["user", "project", "client", "text"]}
    return {_BASE: {}, "checkpoints": {"audit": checkpoints}, "sealing": {"erasure": sealed}}


def run(directory: Path, scale: float) -> dict[str, float]:
    """Rates and processor time of a create with each part, as multiples of those without it."""
    return asyncio.run(_measure(directory, scale))


async def _measure(directory: Path, scale: float) -> dict[str, float]:
    loads = {"bulk": (_bulk, int(4_000 * scale)), "in_flight_64": (_in_flight, int(2_000 * scale))}
    runs: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        systems = {
            name: await _started(stack, directory, name, changes)
            for name, changes in variations(directory).items()
        }
        for _ in range(_ROUNDS):
            for load, (job, count) in loads.items():
                for name, (system, log) in systems.items():
                    for figure, value in (await _once(system, log, job, count)).items():
                        runs.setdefault(f"{name}_{load}_{figure}", []).append(value)
    medians = {name: median(values) for name, values in runs.items()}
    ratios = {
        f"{name}_{load}_{figure}_ratio": medians[f"{name}_{load}_{figure}"]
        / medians[f"{_BASE}_{load}_{figure}"]
        for name in systems
        if name != _BASE
        for load in loads
        for figure in ("per_s", "cpu_us")
    }
    return medians | ratios


async def _started(
    stack: AsyncExitStack, directory: Path, name: str, changes: Mapping[str, object]
) -> tuple[aio.AsyncShareSystem, Path]:
    settings = memory_system(directory / name, f"share-actors-{name}", **changes)
    system = await aio.start(settings)
    stack.push_async_callback(system.close)
    await _bulk(system, 200)
    return system, settings.log_path


async def _once(system: aio.AsyncShareSystem, log: Path, job: Load, count: int) -> dict[str, float]:
    """Creates a second, and microseconds of processor time of all processes a create."""
    await system.shares(limit=1)  # the catalog has caught up
    before, start = Account.now(log), time.perf_counter()
    await job(system, count)
    seconds = time.perf_counter() - start
    await system.shares(limit=1)
    used = Account.now(log).each(before, count)
    return {"per_s": count / seconds, "cpu_us": used["cpu_us"]}


async def _bulk(system: aio.AsyncShareSystem, count: int) -> None:
    await create_in_bulk(system, count)


async def _in_flight(system: aio.AsyncShareSystem, count: int) -> None:
    await in_flight(lambda: system.create_share(size=1), count, 64)
