"""The lease of a log: one system writes, another is refused, and takes over from a dead one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import (
    QUIET_S,
    STALE_S,
    Lease,
    LeaseStore,
    Owner,
    acquire,
    living_holder,
    next_step,
)
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from tests.events.appending import append

ONE = Owner("session-1/n", "n", "/home/one", "here", 1)
TWO = Owner("session-2/n", "n", "/home/two", "here", 2)
ELSEWHERE = Owner("session-3/n", "n", "/home/three", "there", 3)
NOW = 1_000_000.0
NewStore = Callable[[], LeaseStore]


# -- the decision ----------------------------------------------------------------------------------
def held_by(owner: Owner, silent_s: float) -> Lease:
    return Lease(owner, epoch=4, started_at=0.0, beat_at=NOW - silent_s)


@pytest.mark.parametrize(
    ("lease", "alone", "server", "step"),
    [
        (None, True, False, "take"),
        (None, False, False, "wait"),
        (held_by(TWO, 0), False, False, "hold"),
        (held_by(TWO, 9999), False, True, "hold"),
        # on this machine the lock alone decides
        (held_by(ONE, 0), True, False, "take"),
        (held_by(ONE, 9999), False, False, "wait"),
        # a file on another machine: its lock may be invisible here
        (held_by(ELSEWHERE, 1), True, False, "wait"),
        (held_by(ELSEWHERE, QUIET_S + 1), True, False, "take"),
        # a server forgets locks when it restarts, and remembers those of a machine that is gone
        (held_by(ONE, 1), True, True, "wait"),
        (held_by(ONE, QUIET_S + 1), True, True, "take"),
        (held_by(ONE, QUIET_S + 1), False, True, "wait"),
        (held_by(ONE, STALE_S + 1), False, True, "take"),
    ],
)
def test_a_system_holds_takes_or_waits(
    lease: Lease | None, alone: bool, server: bool, step: str
) -> None:
    assert next_step(lease, TWO, NOW, alone=alone, lock_outlives_machine=server) == step


# -- both databases --------------------------------------------------------------------------------
@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> LogSettings:
    made: LogSettings = request.getfixturevalue(f"{request.param}_settings")
    return made


@pytest.fixture
def log(settings: LogSettings, log_path: Path) -> Iterator[Log]:
    opened = Log.open(settings, log_path)
    yield opened
    opened.close()


@pytest.fixture
def new_store(settings: LogSettings, log_path: Path, log: Log) -> Iterator[NewStore]:
    """A function that opens the lease of the log as another process does."""
    made: list[LeaseStore] = []

    def new() -> LeaseStore:
        made.append(lease_store(settings, log_path))
        return made[-1]

    yield new
    for store in made:
        store.close()


def beat_visibly(store: LeaseStore, owner: Owner) -> None:
    """Renew the heartbeat until its time differs: the databases' clocks count milliseconds."""
    before, _ = store.read()
    assert before is not None
    while (now := store.read()[0]) is not None and now.beat_at == before.beat_at:
        assert store.beat(owner, before.epoch)


class Time:
    """A clock that only `sleep` moves; *meanwhile* happens during each sleep."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.now, self._meanwhile = 0.0, meanwhile

    def options(self) -> dict[str, Any]:
        return {"clock": lambda: self.now, "sleep": self._sleep}

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self._meanwhile()


def test_a_second_system_is_refused_with_who_holds_the_log(new_store: NewStore) -> None:
    first, second = new_store(), new_store()
    lease = acquire(first, ONE)
    clock = Time(lambda: beat_visibly(first, ONE))

    with pytest.raises(
        LogError, match="in use by the system in namespace 'n' of home /home/one"
    ) as e:
        acquire(second, TWO, **clock.options())

    assert "process 1 on here, since " in e.value.message
    assert (e.value.field, e.value.value) == (second.field, second.value)
    assert e.value.details["holder"] == ONE.__dict__
    assert "stop it first" in e.value.details["next_step"]
    assert clock.now < 1  # refused by the first heartbeat
    assert first.read()[0] is not None
    assert acquire(new_store(), ONE).epoch == lease.epoch


def test_who_holds_a_log_can_be_asked_before_anything_is_started(new_store: NewStore) -> None:
    first, asking = new_store(), new_store()
    assert living_holder(asking) is None
    acquire(first, ONE)
    clock = Time(lambda: beat_visibly(first, ONE))

    holder = living_holder(asking, **clock.options())

    assert holder is not None
    assert (holder.owner, clock.now < 1) == (ONE, True)
    assert living_holder(asking, **Time().options()) is None  # a heart that has stopped
    first.close()
    assert living_holder(asking, wait_s=0.0) is None
    assert acquire(asking, TWO, wait_s=60.0).owner == TWO


def test_a_holder_that_is_suspended_is_not_replaced(new_store: NewStore) -> None:
    acquire(new_store(), ONE)
    clock = Time()

    with pytest.raises(LogError, match="/home/one"):
        acquire(new_store(), TWO, wait_s=3.0, **clock.options())
    assert clock.now >= 3.0


def test_processes_of_one_system_hold_the_log_together(new_store: NewStore) -> None:
    first, second = new_store(), new_store()

    assert acquire(first, ONE).epoch == acquire(second, ONE).epoch == 1
    first.close()
    with pytest.raises(LogError, match="in use"):
        acquire(new_store(), TWO, wait_s=0.0)


def test_a_system_whose_processes_are_gone_is_replaced(new_store: NewStore) -> None:
    for store in (stores := [new_store(), new_store()]):
        acquire(store, ONE)
    for store in stores:
        store.close()

    taken = acquire(new_store(), TWO)

    assert (taken.owner, taken.epoch) == (TWO, 2)


def test_a_system_that_ended_in_order_is_replaced_at_once(new_store: NewStore) -> None:
    for keeper in [LeaseKeeper(new_store(), ONE), LeaseKeeper(new_store(), ONE)]:
        keeper.close()
        keeper.close()

    assert acquire(new_store(), TWO, wait_s=0.0).owner == TWO


def test_a_log_is_not_written_once_another_system_has_the_lease(
    new_store: NewStore, log: Log
) -> None:
    keeper = LeaseKeeper(new_store(), ONE)
    keeper.keep(log)
    append(log, "share-1", 0, "a")
    new_store().take(TWO, keeper.lease.epoch + 1)

    with pytest.raises(LogError, match=r"in use by .* of home /home/two"):
        keeper.renew()
    with pytest.raises(LogError, match=r"in use by .* of home /home/two") as error:
        append(log, "share-1", 1, "b")

    assert error.value.details["holder"] == TWO.__dict__
    assert log.head() == 1
    keeper.close()


def test_readers_of_the_log_are_not_refused(
    new_store: NewStore, settings: LogSettings, log_path: Path
) -> None:
    acquire(new_store(), ONE)

    reader = Log.open(settings, log_path, create=False)
    assert reader.head() == 0
    reader.close()


def test_the_lock_file_is_for_its_owner_only(log_path: Path, sqlite_settings: LogSettings) -> None:
    Log.open(sqlite_settings, log_path).close()
    lease_store(sqlite_settings, log_path).close()

    assert log_path.with_name("log.db.lock").stat().st_mode & 0o777 == 0o600
