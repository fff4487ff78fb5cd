"""One share actor's process alone: waking a share from its stream, and the memory of those awake."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from uuid import uuid4

import psutil

from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.messaging.messages import CommandMessage, ask
from share_actors.config import Config, build
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import CreateShare
from share_actors.values import RequestContext

WHO = RequestContext(user_id="bench").model_dump_json().encode()


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds to wake a share of 100 and of 5,000 events; resident shares a GB."""
    backends = {"memory": {"driver": "dummy", "options": {}}}
    settings = build({"home": directory / "activation", "backends": backends})
    return asyncio.run(_measure(settings, scale))


async def _measure(settings: Config, scale: float) -> dict[str, float]:
    settings.home.mkdir(parents=True, exist_ok=True)
    host = ShareHost(settings)
    small = [await _grown(host, 100) for _ in range(20)]
    large = [await _grown(host, 5000) for _ in range(max(2, int(5 * scale)))]
    figures = {
        "activate_100_ms_p50": await _wakes(host, small),
        "activate_5000_ms_p50": await _wakes(host, large),
        "resident_per_gb": await _resident(host, int(20_000 * scale)),
    }
    await host.stop()
    return figures


def _ask(share_id: str, command: Command) -> CommandMessage:
    return ask(share_id, command, WHO, uuid4().hex, wait=True)


def _create(share_id: str) -> CommandMessage:
    command = CreateShare(
        share_id=share_id, size=1, host="memory", project_id="bench", user_id="bench"
    )
    return _ask(share_id, command)


def _changes(share_id: str) -> Iterator[CommandMessage]:
    """Rules that come and go, so that the stream grows and the state stays small."""
    while True:
        rule = uuid4().hex
        yield _ask(share_id, AllowAccess(access_id=rule, access_type="ip", access_to="10.0.0.1"))
        yield _ask(share_id, DenyAccess(access_id=rule))


async def _grown(host: ShareHost, events: int) -> str:
    """A share whose stream has about *events* events: three for each change."""
    share_id = uuid4().hex
    await host.submit([_create(share_id)])
    for change in islice(_changes(share_id), events // 3):
        [answer] = await host.submit([change])
        assert answer.status == "done", answer
    return share_id


async def _wakes(host: ShareHost, share_ids: list[str], times: int = 10) -> float:
    """The median time from asleep to answering, in ms."""
    took = []
    for _ in range(times):
        await host.passivate(0.0)
        await asyncio.sleep(0.05)  # the snapshot is written in the background
        for share_id in share_ids:
            began = time.perf_counter()
            await host.view(share_id)
            took.append(time.perf_counter() - began)
    return 1000 * median(took)


async def _resident(host: ShareHost, count: int) -> float:
    """How many shares one GB of this process's memory would hold awake."""
    await host.passivate(0.0)
    gc.collect()
    before = psutil.Process().memory_info().rss
    for begin in range(0, count, 500):
        await host.submit([_create(uuid4().hex) for _ in range(begin, min(begin + 500, count))])
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    return count * 1_000_000_000 / max(grown, 1)
