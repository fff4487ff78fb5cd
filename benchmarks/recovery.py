"""A start after a crash: how soon the first answer comes, and how soon all that was owed is done."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from uuid import uuid4

from benchmarks.activation import WHO, _create
from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.messaging.messages import ask
from share_actors.actors.runtime import lifecycle
from share_actors.client import aio
from share_actors.config import Config, build
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log
from share_actors.events.share.messages import CreateShare

OWING = 200
FEW, MANY = 1_000, 20_000


def run(directory: Path, scale: float) -> dict[str, float]:
    """Seconds from a start, with Ray up, to the first answer and to the last of 200 owed creations."""
    lifecycle.init(None)
    try:
        figures: dict[str, float] = {}
        asyncio.run(_left_behind(directory / "warm", 500))
        asyncio.run(
            _started(directory / "warm")
        )  # the first start of all has Ray's spare processes
        for shares in (FEW, int(MANY * scale)):
            home = directory / f"recovery-{shares}"
            asyncio.run(_left_behind(home, shares))
            name = "few" if shares == FEW else "many"
            first, all_done = asyncio.run(_started(home))
            figures |= {f"first_answer_{name}_s": first, f"recovered_{name}_s": all_done}
        return figures
    finally:
        lifecycle.shutdown()


def _settings(home: Path, delay_s: float = 0.0) -> Config:
    backends = {"memory": {"driver": "dummy", "options": {"delay_s": delay_s}}}
    return build({"home": home, "namespace": f"bench-{home.name}", "backends": backends})


async def _left_behind(home: Path, shares: int) -> None:
    """A log and a catalog of so many shares, and of 200 whose creation was under way at the end."""
    home.mkdir(parents=True)
    host = ShareHost(_settings(home))
    for _ in range(shares // 500):
        await host.submit([_create("idle-" + uuid4().hex) for _ in range(500)])
    await host.stop()
    cut_off = ShareHost(_settings(home, delay_s=3600.0))
    owed = [f"owed-{uuid4().hex}" for _ in range(OWING)]
    await cut_off.submit([ask(i, _creation(i), WHO, uuid4().hex, wait=False) for i in owed])
    settings = _settings(home)
    log = Log.open(settings.log, settings.log_path)
    catalog = Catalog.open(log, settings.log, settings.catalog_file)
    catalog.catch_up()
    catalog.close()
    log.close()
    cut_off._log.close()  # whatever its threads still do, nothing of it is recorded


def _creation(share_id: str) -> CreateShare:
    return CreateShare(
        share_id=share_id, size=1, host="memory", project_id="bench", user_id="bench"
    )


async def _started(home: Path) -> tuple[float, float]:
    settings = _settings(home)
    began = time.perf_counter()
    system = await aio.start(settings)
    try:
        page = await system.shares(limit=1, status="available")
        await page.items[0].refresh()
        first = time.perf_counter() - began
        while (await system.count_shares()).get("creating"):
            await asyncio.sleep(0.02)
        return first, time.perf_counter() - began
    finally:
        await system.close()
