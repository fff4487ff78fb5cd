"""A process that is suspended between a check and its commit, and wakes up after another system took over."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
import pytest

from share_actors.actors.effects.directories import Directories
from share_actors.config import LogSettings
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.registry import make_driver
from share_actors.errors import LogError
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import STALE_S, LeaseStore, Owner, acquire
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from share_actors.events.log.postgres.store import login
from tests.events.appending import append

ONE = Owner("session-1/n", "n", "/home/one", "here", 1)
TWO = Owner("session-2/n", "n", "/home/two", "here", 2)


class Writer(NamedTuple):
    """A process of the system ONE, suspended between the check of its lease and its commit."""

    process: SpawnProcess
    said: Connection

    def wake_up(self) -> str:
        """What became of its append."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)
        return str(self.said.recv())


def write_suspended(
    settings: LogSettings, log: Path, root: Path, rows: int, say: Connection
) -> None:
    """Hold the log and *root*, begin to append so many *rows*, and be suspended just before the commit."""
    Directories(lambda: ONE).hold(driver_on(root))
    opened = Log.open(settings, log)
    keeper = LeaseKeeper(lease_store(settings, log), ONE)
    keeper.keep(opened)

    def check() -> None:
        keeper.check()
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # at once, not a moment later

    opened.before_commit(check)
    try:
        append(opened, "share-1", 0, *map(str, range(rows)))
        say.send("recorded")
    except LogError as error:
        say.send(error.message)


def driver_on(root: Path) -> ShareDriver:
    return make_driver("b", "local", {"root": str(root)})


@pytest.fixture(params=["sqlite", "postgres", "partitioned"])
def settings(request: pytest.FixtureRequest) -> LogSettings:
    made: LogSettings = request.getfixturevalue(f"{request.param}_settings")
    return made


@pytest.fixture
def log(settings: LogSettings, log_path: Path) -> Iterator[Log]:
    opened = Log.open(settings, log_path)
    yield opened
    opened.close()


@pytest.fixture
def store(settings: LogSettings, log_path: Path, log: Log) -> Iterator[LeaseStore]:
    """The lease of the log, as a process of the system TWO sees it."""
    made = lease_store(settings, log_path)
    yield made
    made.close()


@pytest.fixture
def writer(
    request: pytest.FixtureRequest, settings: LogSettings, log: Log, log_path: Path, tmp_path: Path
) -> Iterator[Writer]:
    """A suspended writer of one row, or of as many as the test says."""
    spawn = multiprocessing.get_context("spawn")
    said, say = spawn.Pipe(duplex=False)
    arguments = (settings, log_path, tmp_path, getattr(request, "param", 1), say)
    process = spawn.Process(target=write_suspended, args=arguments)
    process.start()
    say.close()
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.is_alive()
        time.sleep(0.02)
    yield Writer(process, said)
    process.kill()
    process.join()
    said.close()


def take_over(store: LeaseStore, settings: LogSettings) -> None:
    """Have the system TWO take the lease over, which it does of a holder that it believes to be dead."""
    if settings.kind == "postgresql":
        table = f"{settings.schema_name}.lease"
        with psycopg.connect(**login(settings)) as connection:
            connection.execute(f"UPDATE {table} SET beat_at = beat_at - {STALE_S + 1}")
        assert acquire(store, TWO).owner == TWO
    else:  # its lock protects a holder on this machine; this one is on another, out of reach
        held, _ = store.read()
        assert held is not None
        assert store.take(TWO, held.epoch + 1)


@pytest.mark.parametrize("writer", [1, 300], indirect=True, ids=["one statement", "several"])
def test_a_process_that_wakes_up_after_another_system_took_over_writes_nothing(
    writer: Writer, store: LeaseStore, settings: LogSettings, log: Log
) -> None:
    take_over(store, settings)

    answer = writer.wake_up()

    assert "is in use by the system in namespace 'n' of home /home/two" in answer
    assert "nothing was changed" in answer
    assert log.head() == 0


def test_a_suspended_process_keeps_the_log_and_the_storage_of_its_system(
    writer: Writer, store: LeaseStore, tmp_path: Path
) -> None:
    with pytest.raises(DriverError, match=r"in use by the system in .* home /home/one"):
        Directories(lambda: TWO).hold(driver_on(tmp_path), wait_s=0.0)
    with pytest.raises(LogError, match=r"in use by the system in .* home /home/one"):
        acquire(store, TWO, wait_s=0.5)

    assert writer.wake_up() == "recorded"
    writer.process.join()
    Directories(lambda: TWO).hold(driver_on(tmp_path), wait_s=0.0)
