"""What sealing personal data costs: creates in flight and replay, with sealing off and on in turn."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

from benchmarks.loads import in_flight
from share_actors import config
from share_actors.client import aio
from share_actors.events.log import open_configured
from share_actors.testing import system

ROUNDS = 3
IN_FLIGHT = 64
SEALED = ("user", "project", "client", "text")


def run(directory: Path, scale: float) -> dict[str, float]:
    """Creates and replayed events per second of processor time, and what is lost, in percent.

    The system runs in this process, on a SQLite log: neither Ray nor the disk is in the figures.
    """
    settings = {
        name: _settings(directory / f"erasure-{name}", seal)
        for name, seal in (("off", ()), ("on", SEALED))
    }
    creates = dict.fromkeys(settings, 0.0)
    for _ in range(ROUNDS):  # in turn, since other programs share the machine
        for name, chosen in settings.items():
            creates[name] = max(creates[name], asyncio.run(_creates(chosen, int(2_000 * scale))))
    replayed = {
        name: max(_replayed(chosen) for _ in range(ROUNDS)) for name, chosen in settings.items()
    }
    return {
        "erasure_off_creates_per_cpu_s": creates["off"],
        "erasure_on_creates_per_cpu_s": creates["on"],
        "erasure_creates_loss_percent": 100 * (1 - creates["on"] / creates["off"]),
        "erasure_off_replay_per_cpu_s": replayed["off"],
        "erasure_on_replay_per_cpu_s": replayed["on"],
    }


def _settings(home: Path, seal: tuple[str, ...]) -> config.Config:
    backends = {"memory": {"driver": "dummy", "options": {}}}
    return config.build({"home": home, "backends": backends, "erasure": {"seal": seal}})


async def _creates(settings: config.Config, count: int) -> float:
    """Creates per second of processor time, each with a name, `IN_FLIGHT` at a time."""
    async with system(settings, durable=True) as running:
        await _creates_of(running, 200)
        start = time.process_time()
        await _creates_of(running, count)
        return count / (time.process_time() - start)


async def _creates_of(running: aio.AsyncShareSystem, count: int) -> None:
    numbers = itertools.count()
    await in_flight(
        lambda: running.create_share(size=1, name=f"share {next(numbers)}"), count, IN_FLIGHT
    )


def _replayed(settings: config.Config) -> float:
    """Events per second of processor time that are read from the log and decoded."""
    log = open_configured(settings)
    rows = log.notifications(0, 20_000)
    start = time.process_time()
    for row in rows:
        log.decode(row)
    seconds = time.process_time() - start
    log.close()
    return len(rows) / seconds
