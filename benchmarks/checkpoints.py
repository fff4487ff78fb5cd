"""What signed checkpoints cost: creates without and with them, in turn in one process without Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.erasure import IN_FLIGHT
from benchmarks.loads import in_flight
from share_actors import config
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.log import open_configured
from share_actors.testing import system

ROUNDS = 5
EACH = 500
"""Creates for each checkpoint: a number and not a time, so that other programs do not change the work."""


def run(directory: Path, scale: float) -> dict[str, float]:
    """Microseconds of processor time a create without and with checkpoints, and their cost in percent.

    The cost is the time of the thread that writes them as a part of the rest: it varies less than the rest.
    Each measurement ends when the events of its own creates are covered, so none is paid for by another one.
    """
    count = int(2_000 * scale)
    settings = {name: _settings(directory / f"checkpoints-{name}", name) for name in ("off", "on")}
    used: dict[str, list[Used]] = {name: [] for name in settings}
    for _ in range(ROUNDS):  # in turn, since other programs share the machine
        for name, chosen in settings.items():
            used[name].append(asyncio.run(_creates(chosen, count)))
    costs = [100 * one.writer_us / (one.all_us - one.writer_us) for one in used["on"]]
    return {
        "checkpoints_off_create_cpu_us": median(one.all_us for one in used["off"]),
        "checkpoints_on_create_cpu_us": median(one.all_us for one in used["on"]),
        "checkpoints_writer_cpu_us": median(one.writer_us for one in used["on"]),
        "checkpoints_cost_percent": median(costs),
    }


class Used(NamedTuple):
    """Microseconds of processor time a create: of everything, and of the writer of checkpoints."""

    all_us: float
    writer_us: float


def _settings(home: Path, name: str) -> config.Config:
    backends = {"memory": {"driver": "dummy", "options": {}}}
    audit = {"checkpoints": str(home / "checkpoints")} if name == "on" else {}
    return config.build({"home": home, "backends": backends, "audit": audit})


async def _creates(settings: config.Config, count: int) -> Used:
    async with system(settings, durable=True) as running:
        await in_flight(lambda: running.create_share(size=1), 200, IN_FLIGHT)
        checkpoints = _Checkpoints(settings)
        start, checkpoints.used = time.process_time(), 0.0
        await in_flight(lambda: checkpoints.counted(running.create_share(size=1)), count, IN_FLIGHT)
        await checkpoints.last()
        used = time.process_time() - start
        checkpoints.close()
    return Used(used / count * 1e6, checkpoints.used / count * 1e6)


class _Checkpoints:
    """Writes checkpoints in a thread beside the commands, as the process of the catalog does, or none."""

    def __init__(self, settings: config.Config) -> None:
        self._log = open_configured(settings)
        configured = settings.audit.checkpoints is not None
        self._writer = CheckpointWriter.configured(settings) if configured else None
        self._created, self.used = 0, 0.0
        self._thread = ThreadPoolExecutor(1)
        self._write()

    async def counted(self, create: Awaitable[object]) -> None:
        """Await *create*; after each `EACH` of them a checkpoint is begun."""
        await create
        self._created += 1
        if self._created % EACH == 0:
            self._thread.submit(self._write)

    async def last(self) -> None:
        """Wait until all events are covered."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write)

    def _write(self) -> None:
        start = time.thread_time()
        if self._writer is not None:
            self._writer.write_all(self._log.rows)
        self.used += time.thread_time() - start

    def close(self) -> None:
        """Close the log."""
        self._thread.shutdown()
        self._log.close()
