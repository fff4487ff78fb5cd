"""What grows with the access rules of a share: an allow on a share with few rules and on one with many.

The whole system runs in this process, without Ray, so its processor time is that of all its parts, the
catalog included; both shares are asked in turn.
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from statistics import median

from benchmarks.loads import Job, allowing, in_flight, memory_system
from share_actors.client.share.handle import AsyncShare
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem

FEW, MANY = 10, 10_000
ROUNDS, REQUESTS = 7, 100
IN_FLIGHT = 64


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds of processor time of an allow with few and with many rules, and their ratio."""
    return asyncio.run(_measure(directory / "rules-growth", int(MANY * scale)))


async def _measure(home: Path, many: int) -> dict[str, float]:
    home.mkdir(parents=True)
    async with system(memory_system(home, "rules-growth"), durable=True) as running:
        shares = {}
        for name, rules in {"few": FEW, "many": many}.items():
            share = await running.create_share(size=1)
            shares[name] = share, allowing([share])
            await _allow(running, shares[name][1], rules, IN_FLIGHT)
        gc.collect()
        gc.freeze()  # as a share actor does, whose process collects garbage rarely
        costs: dict[str, list[float]] = {name: [] for name in shares}
        for _ in range(ROUNDS):
            for name, (share, allow) in shares.items():
                costs[name].append(await _cost(running, share, allow))
    figures = {f"growth_rules_{name}_ms": median(some) for name, some in costs.items()}
    ratio = figures["growth_rules_many_ms"] / figures["growth_rules_few_ms"]
    return {**figures, "growth_rules_ratio": ratio}


async def _cost(running: InProcessSystem, share: AsyncShare, allow: Job) -> float:
    """Milliseconds of processor time of each of `REQUESTS` allows, one at a time; their rules are removed."""
    began = time.process_time()
    await _allow(running, allow, REQUESTS, 1)
    cost = 1000 * (time.process_time() - began) / REQUESTS
    for rule in (await share.refresh()).seen.access_rules[-REQUESTS:]:
        await share.deny_access(rule.id)
    return cost


async def _allow(running: InProcessSystem, allow: Job, count: int, lanes: int) -> None:
    """Allow *count* more clients, one after the other in each of *lanes*, and wait for the catalog."""
    await in_flight(allow, count, lanes)
    await running.shares(name="none", wait=True)
