"""A start after a crash: time to the first reply, and until all pending work is done."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import uuid4

from benchmarks.activation import BATCH_SIZE, create_message
from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.runtime import lifecycle
from share_actors.client import aio
from share_actors.config import Config, build
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log

PENDING = 200
FEW, MANY = 1_000, 20_000


def run(directory: Path, scale: float) -> dict[str, float]:
    """Seconds from a start, with Ray running, to the first reply and to the last of 200 pending creations."""
    lifecycle.init(None)
    try:
        figures: dict[str, float] = {}
        # a first start, which uses up the processes that Ray keeps ready
        asyncio.run(_write_log(directory / "warm", 500))
        asyncio.run(_start(directory / "warm"))
        for shares in (FEW, int(MANY * scale)):
            home = directory / f"recovery-{shares}"
            asyncio.run(_write_log(home, shares))
            name = "few" if shares == FEW else "many"
            first, all_done = asyncio.run(_start(home))
            figures |= {f"first_answer_{name}_s": first, f"recovered_{name}_s": all_done}
        return figures
    finally:
        lifecycle.shutdown()


def _settings(home: Path, delay_s: float = 0.0) -> Config:
    backends = {"memory": {"driver": "dummy", "options": {"delay_s": delay_s}}}
    return build({"home": home, "namespace": f"bench-{home.name}", "backends": backends})


async def _write_log(home: Path, shares: int) -> None:
    """Write the log and the catalog of *shares* shares, and of 200 whose creation was interrupted."""
    home.mkdir(parents=True)
    host = ShareHost(_settings(home))
    for _ in range(shares // BATCH_SIZE):
        await host.submit([create_message("idle-" + uuid4().hex) for _ in range(BATCH_SIZE)])
    await host.stop()
    interrupted = ShareHost(_settings(home, delay_s=3600.0))
    pending = [f"pending-{uuid4().hex}" for _ in range(PENDING)]
    await interrupted.submit([_creation(share_id) for share_id in pending])
    settings = _settings(home)
    log = Log.open(settings.log, settings.log_path)
    catalog = Catalog.open(log, settings.log, settings.catalog_file)
    catalog.catch_up()
    catalog.close()
    log.close()
    interrupted._log.close()  # nothing that its threads still do is recorded


def _creation(share_id: str) -> CommandMessage:
    return create_message(share_id)._replace(wait=False)


async def _start(home: Path) -> tuple[float, float]:
    """Start a system in *home*; seconds to the first reply, and until no share is `creating`."""
    settings = _settings(home)
    start = time.perf_counter()
    system = await aio.start(settings)
    try:
        page = await system.shares(limit=1, status="available")
        await page.items[0].refresh()
        first = time.perf_counter() - start
        while (await system.count_shares()).get("creating"):
            await asyncio.sleep(0.02)
        return first, time.perf_counter() - start
    finally:
        await system.close()
