"""A day of a backend's statistics, on a virtual clock: the log grows by news only."""

from __future__ import annotations

import asyncio
import errno
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from share_actors.actors.stats import StatsActor
from share_actors.config import BackendSettings, Config
from share_actors.drivers import DriverError, ShareDriver
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.registry import drivers_registered
from share_actors.events import backend
from share_actors.values import BackendReport, RequestContext, RoomTaken
from tests.drivers.whole import WholeDriver
from tests.faults.virtual_clock import SimulatedLoop

A_DAY = 86_400.0
PERIOD_S, RETRY_S = 60.0, 30.0
HANDFUL = 5
VARYING = random.Random(7)


class SimulatedStats(StatsActor):
    """A stats actor whose driver calls take no time, instead of a thread each."""

    async def _call_driver(self, call: Callable[[], Any], limit_s: float) -> Any:
        await asyncio.sleep(0)
        return call()


class Entity:
    """The backend's entity: what is recorded of the reports."""

    def __init__(self) -> None:
        self.state, self.events, self.reports = backend.initial, Counter[str](), 0

    async def tell(self, address: str, command: Any, context: RequestContext) -> None:
        self.reports += 1
        for event in backend.decide(command, self.state):
            self.state = backend.evolve(self.state, event)
            self.events[type(event).__name__] += 1


class Listener:
    """The manager, which forgets the reports."""

    async def begin_measurement(self, backend: str, /) -> dict[str, RoomTaken]:
        return {}

    async def publish(self, published: BackendReport, /) -> None:
        """Nothing to do."""


class SteadyDriver(WholeDriver):
    """A driver that says the same all the time: in another order, with times, and with small changes."""

    def get_share_stats(self, refresh: bool = False) -> dict[str, Any]:
        names, protocols = list("abcd"), ["NFS", "CIFS"]
        VARYING.shuffle(names)
        VARYING.shuffle(protocols)
        pools = [
            {
                "pool_name": name,
                "total_capacity_gb": 1000 + VARYING.random(),
                "free_capacity_gb": 500 + 20 * VARYING.random(),
                "iops_now": VARYING.randint(9600, 10000),
                "read_at": f"2026-01-01T00:00:{VARYING.randint(10, 59)}Z",
                "thin_provisioning": VARYING.choice(([True, False], [False, True])),
                "odd": "?" if name == "a" else 1,
                "reserved_percentage": "perhaps",
            }
            for name in names
        ]
        return {"storage_protocol": protocols, "pools": pools, "session": object()}

    def get_backend_info(self, context: RequestContext) -> dict[str, Any]:
        addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        VARYING.shuffle(addresses)
        return {"addresses": addresses, "connection": _Connection()}


class _Connection:
    """An object that is made again for each report."""


class FullDriver(WholeDriver):
    """A driver whose filesystem is full: it fails with another temporary name each time."""

    def check_for_setup_error(self) -> None:
        number = VARYING.getrandbits(40)
        path = f"/r/meta/{VARYING.choice(('probe-', 'tmp'))}{number:x}.new"
        with os_errors(f"check /r after {number} s"):
            raise OSError(errno.ENOSPC, "full", path)


class FailingDriver(WholeDriver):
    """A driver whose error has another word each time."""

    def get_share_stats(self, refresh: bool = False) -> Any:
        letters = "".join(VARYING.choices("abcdefgh", k=6))
        raise DriverError(f"no answer to {letters} within {VARYING.random()} s")


async def _day_of(config: Config, entity: Entity) -> None:
    client = cast(Any, entity)
    actor = SimulatedStats("b", config, Listener, client, retry_s=RETRY_S)
    await actor.follow()
    await asyncio.sleep(A_DAY)
    await actor.stop()


def recorded_in_a_day(driver: type[ShareDriver]) -> Entity:
    """What is recorded of a backend with this driver in a day."""
    settings = {"b": BackendSettings(driver="simulated")}
    config = Config(backends=settings, scheduler={"stats_period_s": PERIOD_S})
    entity, loop = Entity(), SimulatedLoop(0.0)
    with drivers_registered({"simulated": driver}):
        try:
            loop.run_until_complete(_day_of(config, entity))
        finally:
            loop.close()
    return entity


def test_a_day_of_a_steady_backend_is_one_report_and_its_settings() -> None:
    entity = recorded_in_a_day(SteadyDriver)

    assert entity.reports > A_DAY / PERIOD_S - 1
    assert entity.events == {"BackendUp": 1, "BackendInfoChanged": 1}


@pytest.mark.parametrize(("driver", "at_most"), [(FullDriver, 1), (FailingDriver, HANDFUL)])
def test_a_day_of_a_backend_in_trouble_is_a_handful_of_events(
    driver: type[ShareDriver], at_most: int
) -> None:
    entity = recorded_in_a_day(driver)

    assert entity.reports > A_DAY / RETRY_S - 1
    assert entity.events.keys() == {"BackendDown"}
    assert entity.events.total() <= at_most
