"""One share host in this process: time to activate a share, and memory of active shares."""

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
from share_actors.actors.messaging.messages import CommandMessage, Sender, command_message
from share_actors.config import Config, build
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import CreateShare
from share_actors.values import RequestContext, ShareSpec

CONTEXT = Sender.of(RequestContext(user_id="bench", project_id="bench"))
BATCH_SIZE = 500


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds to activate a share of 100 and of 5,000 events; active shares per GB."""
    backends = {"memory": {"driver": "dummy", "options": {}}}
    settings = build({"home": directory / "activation", "backends": backends})
    return asyncio.run(_measure(settings, scale))


async def _measure(settings: Config, scale: float) -> dict[str, float]:
    settings.home.mkdir(parents=True, exist_ok=True)
    host = ShareHost(settings)
    small = [await _share_with(host, 100) for _ in range(20)]
    large = [await _share_with(host, 5000) for _ in range(max(2, int(5 * scale)))]
    figures = {
        "activate_100_ms_p50": await _activation_ms(host, small),
        "activate_5000_ms_p50": await _activation_ms(host, large),
        "resident_per_gb": await _resident_per_gb(host, int(20_000 * scale)),
    }
    await host.stop()
    return figures


def _message(share_id: str, command: Command) -> CommandMessage:
    return command_message(share_id, command, CONTEXT, uuid4().hex, wait=True)


def create_message(share_id: str) -> CommandMessage:
    """A message that creates a share of 1 GiB."""
    command = CreateShare(
        share_id=share_id,
        size=1,
        spec=ShareSpec(host="memory", project_id="bench", user_id="bench"),
    )
    return _message(share_id, command)


def _changes(share_id: str) -> Iterator[CommandMessage]:
    """Access rules that are added and removed, so that the stream grows and the state stays small."""
    while True:
        rule = uuid4().hex
        yield _message(
            share_id, AllowAccess(access_id=rule, access_type="ip", access_to="10.0.0.1")
        )
        yield _message(share_id, DenyAccess(access_id=rule))


async def _share_with(host: ShareHost, events: int) -> str:
    """The id of a new share whose stream has about *events* events: three for each change."""
    share_id = uuid4().hex
    await host.submit([create_message(share_id)])
    for change in islice(_changes(share_id), events // 3):
        [reply] = await host.submit([change])
        assert reply.status == "done", reply
    return share_id


async def _activation_ms(host: ShareHost, share_ids: list[str], times: int = 10) -> float:
    """The median time to activate a share and read it, in ms."""
    seconds = []
    for _ in range(times):
        await host.passivate(0.0)
        await asyncio.sleep(0.05)  # the snapshot is written in the background
        for share_id in share_ids:
            start = time.perf_counter()
            await host.view(share_id)
            seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds)


async def _resident_per_gb(host: ShareHost, count: int) -> float:
    """How many active shares fit into one GB of this process's memory."""
    await host.passivate(0.0)
    gc.collect()
    before = psutil.Process().memory_info().rss
    for first in range(0, count, BATCH_SIZE):
        batch = range(first, min(first + BATCH_SIZE, count))
        await host.submit([create_message(uuid4().hex) for _ in batch])
    gc.collect()
    growth = psutil.Process().memory_info().rss - before
    return count * 1_000_000_000 / max(growth, 1)
