"""What a program is told of the end of its system: whether it was stopped or died, if that is known."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest
import ray
from ray.exceptions import RaySystemError

from share_actors.actors.runtime import connection, lifecycle, stopped_systems, system_state
from share_actors.actors.runtime.calls import call, call_by
from share_actors.actors.runtime.connection import RayConnection
from share_actors.actors.runtime.joined_system import JoinedSystem
from share_actors.actors.runtime.stopped_systems import MAX_KEPT, stopping, was_stopped
from share_actors.actors.runtime.system_state import SystemState
from share_actors.errors import Unavailable
from tests.conftest import within

HERE, THERE = "127.0.0.1:1", "127.0.0.1:2"
STOPPED, DIED = "was stopped", "has ended without being stopped"
UNKNOWN = "has ended, or this process has left its Ray cluster"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def head() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the head of a Ray."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def state(home: Path, head: subprocess.Popen[bytes]) -> SystemState:
    """The system that runs in the home."""
    created = psutil.Process(head.pid).create_time()
    state = SystemState(namespace="n", address=HERE, pid=head.pid, created=created)
    system_state.write(home, state)
    return state


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def told(joined: JoinedSystem, **details: Any) -> str:
    return joined.explain(Unavailable("no answer", **details)).message


@pytest.mark.usefixtures("state")
def test_a_system_whose_process_was_killed_is_not_said_to_have_been_stopped(
    head: subprocess.Popen[bytes],
) -> None:
    joined = JoinedSystem(HERE)
    end(head)

    assert DIED in told(joined, ended="unknown")


def test_a_system_is_said_to_have_been_stopped_from_the_beginning_of_its_stop(
    home: Path, state: SystemState, head: subprocess.Popen[bytes]
) -> None:
    joined = JoinedSystem(HERE)

    with stopping(home, state):
        end(head)
        assert STOPPED in told(joined, ended="died")
        system_state.delete(home)

    assert STOPPED in told(joined, ended="died")
    system_state.write(home, SystemState(namespace="n", address=THERE))
    assert STOPPED in told(joined, passing=True)


def test_a_system_that_died_before_it_was_cleaned_up_was_not_stopped(
    home: Path, state: SystemState, head: subprocess.Popen[bytes]
) -> None:
    end(head)
    with stopping(home, state):
        pass

    assert not was_stopped(home, state)


def test_a_system_whose_stop_was_interrupted_is_not_said_to_have_been_stopped(
    home: Path, state: SystemState
) -> None:
    with pytest.raises(KeyboardInterrupt), stopping(home, state):
        raise KeyboardInterrupt

    assert not was_stopped(home, state)


def test_nothing_is_claimed_of_a_system_that_is_not_the_one_of_this_home(home: Path) -> None:
    assert UNKNOWN in told(JoinedSystem(THERE), ended="unknown")
    assert told(JoinedSystem(THERE), passing=True) == "no answer"


def test_a_system_on_a_new_head_at_the_same_address_is_another_one(home: Path) -> None:
    before = SystemState(namespace="n", address=HERE, session="s1")
    system_state.write(home, before)
    joined = JoinedSystem(HERE)
    assert told(joined, passing=True) == "no answer"

    system_state.write(home, before.replace(session="s2"))

    assert f"It runs again at {HERE}" in told(joined, passing=True)


def test_a_program_whose_ray_node_has_ended_is_told_to_connect_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = Mock(raylet_socket_name=str(tmp_path / "absent"))
    monkeypatch.setattr("ray._private.worker._global_node", node)

    assert UNKNOWN in told(JoinedSystem(THERE), passing=True)
    assert told(JoinedSystem(THERE)) == "no answer"


def test_the_record_of_stopped_systems_is_bounded_and_a_broken_one_says_nothing(
    home: Path, state: SystemState
) -> None:
    for _ in range(MAX_KEPT + 5):
        with stopping(home, state):
            pass
    assert len(stopped_systems._read(home)) == MAX_KEPT

    (home / "stopped.json").write_text('[["x"]')
    assert not was_stopped(home, state)


@ray.remote
class Actor:
    """An actor that can end by itself."""

    def end(self) -> None:
        import os

        os._exit(1)

    def answer(self) -> str:
        return "here"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("killed", "said"), [(True, STOPPED), (False, DIED)])
def test_an_actor_that_was_killed_on_purpose_is_told_from_one_that_died(
    killed: bool, said: str
) -> None:
    actor: Any = Actor.remote()  # type: ignore[attr-defined]

    async def until_it_has_ended() -> None:
        assert await call(actor.answer.remote()) == "here"
        if killed:
            ray.kill(actor, no_restart=True)
        else:
            actor.end.remote()
        while True:
            await call(actor.answer.remote())

    with pytest.raises(Unavailable, match=said):
        asyncio.run(until_it_has_ended())


def test_a_process_that_has_left_the_cluster_is_not_told_that_the_system_was_stopped() -> None:
    def refused() -> Any:
        raise Exception("Ray has not been started yet")  # noqa: TRY002 - as Ray raises it

    with pytest.raises(Unavailable, match=UNKNOWN):
        asyncio.run(call_by(refused, lambda error: error))


def test_a_host_that_is_looked_up_outside_of_any_cluster_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_actor(*_: str) -> None:
        raise RaySystemError("Ray has not been started yet")  # type: ignore[no-untyped-call]

    async def scenario() -> None:
        manager: Any = None
        outside = RayConnection(manager, "gone")
        with pytest.raises(Unavailable, match="this process has left its Ray cluster"):
            await outside.host("share-actor-1")

    monkeypatch.setattr(connection, "find_actor", find_actor)
    monkeypatch.setattr(connection, "RayCatalog", Mock())
    monkeypatch.setattr(lifecycle, "joined_address", lambda: None)
    within(10, scenario())


def test_a_call_while_the_process_is_in_no_cluster_starts_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def called() -> Any:
        raise AssertionError("Ray would start a cluster here")

    monkeypatch.setattr("ray.is_initialized", lambda: False)

    with pytest.raises(Unavailable) as raised:
        asyncio.run(call_by(called, lambda error: error))
    assert raised.value.details["ended"] == "unknown"
