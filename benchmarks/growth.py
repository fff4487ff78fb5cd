"""What grows with the number of shares: the same requests to a system with few shares and to one with many.

`python -m benchmarks.growth --shares 1000000` measures with another number of shares than 100,000.

The whole system runs in this process, without Ray, so its processor time is that of all its parts; both
systems are asked in turn. The logs are written directly, and each catalog catches up from nothing first.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from benchmarks import story_log
from share_actors.actors.garbage import collect_rarely, spare_present
from share_actors.config import Config, build
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log
from share_actors.testing import system
from share_actors.testing.in_process.system import InProcessSystem

FEW, MANY = 1_000, 100_000
ROUNDS = 5
REQUESTS = 100
EVENTS_OF_A_SHARE = 3
Request = Callable[[], Awaitable[object]]


def run(directory: Path, scale: float) -> dict[str, float]:
    """Milliseconds of processor time of each request with few and many shares, and their ratios."""
    return measure(directory, int(MANY * scale))


def measure(directory: Path, many: int) -> dict[str, float]:
    """As `run`, with *many* shares in the second system."""
    sizes = {"few": FEW, "many": many}
    homes = {name: directory / f"growth-{name}" for name in sizes}
    figures = {
        f"growth_cold_{name}_us_an_event": _fill(homes[name], shares)
        for name, shares in sizes.items()
    }
    measured: dict[str, dict[str, list[float]]] = {name: {} for name in sizes}
    for _ in range(ROUNDS):
        for name, home in homes.items():
            for row, cpu_ms in asyncio.run(_requests(home)).items():
                measured[name].setdefault(row, []).append(cpu_ms)
    for row, few in measured["few"].items():
        costs = {"few": median(few), "many": median(measured["many"][row])}
        figures |= {f"growth_{row}_{name}_ms": cost for name, cost in costs.items()}
        figures[f"growth_{row}_ratio"] = costs["many"] / costs["few"]
    return figures


def _settings(home: Path) -> Config:
    options = {"directory": str(home / "nas")}
    return build({"home": home, "backends": {"nas": {"driver": "dummy", "options": options}}})


def _fill(home: Path, shares: int) -> float:
    """Write a log, and have a catalog catch up; microseconds of processor time an event."""
    home.mkdir(parents=True)
    settings = _settings(home)
    events = story_log.write(settings.log_path, shares, events_of_a_share=EVENTS_OF_A_SHARE)
    with (
        closing(Log.open(settings.log, settings.log_path)) as log,
        closing(Catalog.open(log, settings.log, settings.catalog_file)) as catalog,
        _collecting_as_its_process(),
    ):
        began = time.process_time()
        catalog.catch_up()
        return 1e6 * (time.process_time() - began) / events


@contextmanager
def _collecting_as_its_process() -> Iterator[None]:
    """Collect garbage as rarely as the catalog's process does, which is set up so (`CatalogRayActor`)."""
    before = gc.get_threshold()
    collect_rarely()
    spare_present()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _requests(home: Path) -> dict[str, float]:
    began = time.process_time()
    async with system(_settings(home), durable=True) as running:
        await running.share("s7")
        figures = {"restart": 1000 * (time.process_time() - began)}
        shares = await asyncio.gather(*(running.create_share(size=1) for _ in range(REQUESTS)))
        newest, idle = iter(shares), iter(range(100, 100 + REQUESTS))
        rows: dict[str, Request] = {
            "create": lambda: running.create_share(size=1),
            "show": lambda: running.share(f"s{next(idle)}"),
            "allow": lambda: next(newest).allow_access("alice"),
            **_lists(running),
        }
        for row, request in rows.items():
            figures[row] = await _cost(request, REQUESTS)
    return figures


def _lists(running: InProcessSystem) -> dict[str, Request]:
    return {
        "list_page": running.shares,
        "list_of_project": lambda: running.shares(project_id="project3", limit=40),
        "list_of_backend_without_shares": lambda: running.shares(backend="none"),
        "count": running.count_shares,
        "count_of_project": lambda: running.count_shares(project_id="project3"),
        "status": running.status,
    }


async def _cost(request: Request, times: int) -> float:
    """Milliseconds of processor time a request, one after another."""
    began = time.process_time()
    for _ in range(times):
        await request()
    return 1000 * (time.process_time() - began) / times


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=int, default=MANY, help="in the second system")
    shares = parser.parse_args().shares
    with tempfile.TemporaryDirectory(prefix="share-actors-bench-", dir="/var/tmp") as name:
        print(json.dumps(measure(Path(name), shares), indent=2))
