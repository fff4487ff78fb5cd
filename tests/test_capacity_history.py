"""The capacity of a backend over time, from its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from share_actors.audit.capacity import CapacityPoint, capacity_history, pool_histories
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound
from share_actors.events.backend import BackendChanged, BackendDown, BackendHealthy, BackendUp
from share_actors.events.decider import Event
from share_actors.events.envelope import Recorded
from share_actors.testing import sync_system
from share_actors.values import Capabilities, Capacity, Pool
from tests.events.share_events import envelope

START = datetime(2026, 3, 1, tzinfo=UTC)


def hour(n: int) -> datetime:
    return START + timedelta(hours=n)


def capabilities(*free: float, total: Capacity = 100.0) -> Capabilities:
    pools = [
        Pool(name=str(n), total_capacity_gib=total, free_capacity_gib=gib, allocated_capacity_gib=5)
        for n, gib in enumerate(free)
    ]
    return Capabilities(
        backend_name="b",
        driver_name="d",
        storage_protocols=("NFS",),
        access_types=("ip",),
        pools=tuple(pools),
    )


def changed(n: int, *free: float) -> BackendChanged:
    return BackendChanged(capabilities=capabilities(*free), wrong={}, at=hour(n))


def points(
    *events: Event, since: datetime | None = None, until: datetime | None = None, limit: int = 100
) -> Sequence[CapacityPoint]:
    history = [Recorded("backend:b", n, str(n), envelope(), e) for n, e in enumerate(events, 1)]
    return capacity_history(history, since, until, limit)


up = BackendUp(backend="b", capabilities=capabilities(90.0, 40.0), wrong={}, at=START)


def test_the_pools_of_a_backend_are_added() -> None:
    [point] = points(up, BackendHealthy(at=hour(1)))

    assert (point.at, point.up, point.total, point.free) == (START, True, 200.0, 130.0)
    assert (point.used, point.allocated) == (70.0, 10.0)


def test_a_backend_that_is_down_has_no_capacity() -> None:
    _, down, again = points(
        up, BackendDown(backend="b", reason="off", at=hour(1)), up.replace(at=hour(2))
    )

    assert (down.up, down.total, down.free, down.used) == (False, None, None, None)
    assert again.used == 70.0


def test_a_capacity_without_limit_is_no_number() -> None:
    endless = up.replace(capabilities=capabilities(90.0, total="infinite"))

    [point] = points(endless)

    assert (point.total, point.used, point.free) == (None, None, 90.0)


def test_a_period_begins_with_the_capacity_in_force_at_its_start() -> None:
    events = (up, changed(2, 60.0), changed(4, 30.0), changed(6, 10.0))

    found = points(*events, since=hour(3), until=hour(5))

    assert [(point.at, point.free) for point in found] == [(hour(2), 60.0), (hour(4), 30.0)]


def test_the_latest_points_are_shown_and_equal_ones_once() -> None:
    found = points(up, changed(1, 60.0), changed(2, 60.0), changed(3, 30.0), limit=2)

    assert [point.at for point in found] == [hour(1), hour(3)]


def test_a_running_backend_has_a_history_and_an_unknown_one_has_none(tmp_path: Path) -> None:
    options = {"directory": str(tmp_path / "b"), "capacity_gib": 50}
    backends = {"b": {"driver": "dummy", "options": options}}
    with sync_system(Config(home=tmp_path, backends=backends), durable=True) as system:
        system.backends.publish()

        [point] = system.backends.capacity("b")

        assert (point.up, point.total, point.used) == (True, 50.0, 0.0)
        with pytest.raises(NotFound, match="no backend"):
            system.backends.capacity("other")
        with pytest.raises(InvalidRequest, match="limit"):
            system.backends.capacity("b", limit=0)
        with pytest.raises(InvalidRequest, match="since: has no time zone"):
            system.backends.capacity("b", since=datetime(2026, 3, 1))


def test_each_pool_has_points_of_its_own_and_is_away_while_the_backend_is_down() -> None:
    down = BackendDown(backend="b", reason="x", at=hour(2))
    events = [up, changed(1, 90.0, 10.0), down, changed(3, 90.0)]
    history = [Recorded("backend:b", n, str(n), envelope(), e) for n, e in enumerate(events, 1)]

    first, second = pool_histories(history, None, None, 100).values()

    assert [(p.at, p.free) for p in first] == [(START, 90.0), (hour(2), None), (hour(3), 90.0)]
    assert [(p.at, p.free) for p in second] == [(START, 40.0), (hour(1), 10.0), (hour(2), None)]
    assert [p.at for p in pool_histories(history, hour(1), hour(2), 100)["0"]] == [hour(1), hour(2)]
