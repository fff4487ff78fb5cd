"""`up --foreground` tells the death of a system from other failures, whatever fails first."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli.foreground import SignalsNoted, check_alive, death_noticed, stay
from share_actors.errors import LogError, ShareActorsError, Unavailable


@pytest.fixture
def head() -> Iterator[subprocess.Popen[bytes]]:
    """A process in place of Ray's first one."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def state(head: subprocess.Popen[bytes]) -> SystemState:
    """A system whose first process runs, and whose address nothing listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
    created = psutil.Process(head.pid).create_time()
    return SystemState(namespace="n", address=address, pid=head.pid, created=created)


def test_a_system_whose_first_process_ended_has_died(
    tmp_path: Path, state: SystemState, head: subprocess.Popen[bytes]
) -> None:
    system_state.write(tmp_path, state)
    head.kill()

    with pytest.raises(Unavailable, match=f"the system died: process {head.pid} has ended"):
        stay(tmp_path, state, SignalsNoted())


def test_a_system_has_died_also_if_its_first_process_ends_after_the_one_that_listens(
    state: SystemState, head: subprocess.Popen[bytes]
) -> None:
    died = pytest.raises(Unavailable, match=f"the system died: process {head.pid} has ended")

    with subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -9 {head.pid}"]), died:
        check_alive(state)


@pytest.mark.parametrize(
    "failure", [Unavailable("an actor can't be reached"), RuntimeError("Ray"), LogError("no")]
)
def test_what_fails_once_the_system_died_says_that_it_died(
    state: SystemState, head: subprocess.Popen[bytes], failure: Exception
) -> None:
    head.kill()
    head.wait()

    with pytest.raises(Unavailable, match="the system died") as error, death_noticed(state):
        raise failure
    assert error.value.__cause__ is failure


def test_an_error_of_a_system_that_runs_stays_as_it_is(state: SystemState) -> None:
    failure = ShareActorsError("something else")

    with pytest.raises(ShareActorsError) as error, death_noticed(state):
        raise failure
    assert error.value is failure
