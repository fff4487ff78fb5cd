"""A fast backend, alone and while 1,000 driver calls of a slow one run in the same share actor."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import quantiles

from share_actors import config
from share_actors.client import aio

SLOW_CALLS = 1_000
SLOW_S = 60.0
MAX_WAIT_S = 120.0


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds of a create at a time on the fast backend, until it is available."""
    slow = {"driver": "dummy", "threads": SLOW_CALLS, "options": {"delay_s": SLOW_S}}
    settings = config.build(
        {
            "home": directory / "slow_backend",
            "namespace": "share-actors-bench-slow",
            "hosting": {"min_actors": 1, "max_actors": 1},
            "backends": {"fast": {"driver": "dummy", "options": {}}, "slow": slow},
        }
    )
    return asyncio.run(_measure(settings, int(500 * scale)))


async def _measure(settings: config.Config, creates: int) -> dict[str, float]:
    system = await aio.start(settings)
    try:
        await _milliseconds(system, 50)  # warm-up: processes started, files created
        alone = await _milliseconds(system, creates)
        asked = [{"size": 1, "backend": "slow"}] * SLOW_CALLS
        await system.create_shares(asked, wait=False)
        await _until_none_waits(system)
        beside = await _milliseconds(system, creates)
        return {**_figures("fast_alone", alone), **_figures("fast_beside_slow", beside)}
    finally:
        await system.close(timeout=0.0)


async def _milliseconds(system: aio.AsyncShareSystem, creates: int) -> list[float]:
    taken = []
    for _ in range(creates):
        start = time.perf_counter()
        await system.create_share(size=1, backend="fast")
        taken.append(1000 * (time.perf_counter() - start))
    return taken


async def _until_none_waits(system: aio.AsyncShareSystem) -> None:
    """Return once every slow call has a thread; raises SystemExit if that takes too long."""
    until = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < until:
        await asyncio.sleep(1.5)  # the reports of share actors come each second
        [actor] = (await system.status())["manager"]["actors"]
        if not actor.get("waiting_for_thread"):
            return
    raise SystemExit("the slow calls have no threads")


def _figures(name: str, taken: list[float]) -> dict[str, float]:
    hundredths = quantiles(taken, n=100)
    return {f"{name}_ms_p50": hundredths[49], f"{name}_ms_p99": hundredths[98]}
