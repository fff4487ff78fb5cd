"""The record of the running system, and how its processes are started and stopped."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import lifecycle, system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_process, ray_session
from share_actors.cli.commands.system.down import stop
from share_actors.cli.session import Options, Session
from share_actors.errors import ConfigError, Unavailable
from tests.cli_home import home

__all__ = ["home"]


def test_the_recorded_system_can_be_read_until_it_is_forgotten(tmp_path: Path) -> None:
    state = SystemState(namespace="n", address="127.0.0.1:1", pid=1, created=2.0, token="/t")

    assert system_state.read(tmp_path) is None
    system_state.write(tmp_path, state)
    assert system_state.read(tmp_path) == state
    system_state.delete(tmp_path)
    system_state.delete(tmp_path)
    assert system_state.read(tmp_path) is None


def test_a_state_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    system_state.path(tmp_path).write_text("{")

    with pytest.raises(ConfigError, match=r"system\.json can't be read"):
        system_state.read(tmp_path)


def test_a_later_process_with_the_same_id_is_a_different_process() -> None:
    me = psutil.Process()

    assert system_state.same_process(me.pid, me.create_time())
    assert not system_state.same_process(me.pid, me.create_time() - 60)
    assert ray_session.session_processes(me.pid, me.create_time() - 60) == []


def test_the_address_auto_leads_to_the_system_in_the_users_home(home: Path) -> None:
    me = psutil.Process()
    state = SystemState(
        namespace="n", address="127.0.0.1:7", pid=me.pid, created=me.create_time(), token="/t"
    )
    system_state.write(home, state)

    assert system_state.resolve_address("auto") == ("127.0.0.1:7", state.environment)
    assert system_state.resolve_address("10.0.0.1:6379") == ("10.0.0.1:6379", {})
    system_state.write(home, state.replace(created=1.0))
    with pytest.raises(Unavailable, match="no system is running"):
        system_state.resolve_address("auto")


def test_a_lock_of_up_that_stays_taken_is_an_error_that_names_its_holder(tmp_path: Path) -> None:
    (tmp_path / "up.lock").touch(mode=0o644)  # as an earlier version created it

    with (
        ray_process.locked(tmp_path),
        pytest.raises(Unavailable, match=f"process {os.getpid()} has been holding") as error,
        ray_process.locked(tmp_path, timeout_s=0.1),
    ):
        pass
    assert (error.value.field, error.value.value) == ("home", str(tmp_path))
    assert stat.S_IMODE((tmp_path / "up.lock").stat().st_mode) == 0o600
    with ray_process.locked(tmp_path, timeout_s=0.1):
        pass


def test_stopping_a_head_ends_its_session_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "ray"
    directory.mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    head = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60 & wait"], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    state = SystemState(namespace="n", pid=head.pid, created=created, directory=str(directory))
    try:
        while len(session := ray_session.session_processes(head.pid, created)) < 3:
            pass
        # the head passes no signal on to its two sleepers
        killed = ray_process.stop_ray(state, timeout_s=1.0)
        assert [name.partition(" ")[0] for name in killed] == ["sleep", "sleep"]
        assert ray_process.stop_ray(state) == []
        assert all(ray_session.has_ended(process) for process in session)
        assert bystander.poll() is None
        assert not directory.exists()
    finally:
        bystander.kill()
        bystander.wait()
        head.wait()


def test_a_process_that_a_head_starts_as_it_ends_is_waited_for_and_not_killed() -> None:
    script = "sleep 60 & child=$!; trap 'kill $child; sleep 1 & exit' TERM; wait"
    head = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    try:
        while len(ray_session.session_processes(head.pid, created)) < 2:
            pass
        state = SystemState(namespace="n", pid=head.pid, created=created)

        assert ray_process.stop_ray(state, timeout_s=60.0) == []
        assert all(map(ray_session.has_ended, ray_session.session_processes(head.pid, created)))
    finally:
        head.wait()


def test_what_is_left_of_a_ray_that_has_died_is_killed_without_waiting_for_it() -> None:
    script = "trap 'sleep 0.3; exit' TERM; echo ready; while true; do sleep 0.01; done"
    head = subprocess.Popen(
        ["bash", "-c", script], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert head.stdout is not None
    assert head.stdout.readline() == "ready\n"
    created = psutil.Process(head.pid).create_time()
    dead = ((head.pid, created - 60),)  # the raylet: another process has its id by now
    state = SystemState(namespace="n", pid=head.pid, created=created, parts=dead)
    try:
        assert any(name.startswith("bash") for name in ray_process.stop_ray(state))
    finally:
        ray_session.kill_session(head.pid, created)
        head.communicate()


def test_a_command_that_joined_a_cluster_leaves_it_before_ray_does_so_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = list[str]()
    monkeypatch.setattr(lifecycle, "is_initialized", lambda: not left)
    monkeypatch.setattr(lifecycle, "shutdown", lambda: left.append("the cluster"))

    joining, other = Session(Options(), "up"), Session(Options(), "log list")
    with pytest.raises(Unavailable, match="nothing is listening"):
        joining.prepare_connection(SystemState(namespace="n", address="127.0.0.1:1"))

    for session in (other, joining, joining):
        session.disconnect()

    assert left == ["the cluster"]


def test_an_agent_that_goes_on_after_its_head_has_ended_is_ended_without_waiting_for_it() -> None:
    agent = "trap '' TERM; exec -a ray::RuntimeEnvAgent sleep 600"
    script = f'bash -c "{agent}" & trap exit TERM; while true; do sleep 0.1; done'
    head = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    state = SystemState(namespace="n", pid=head.pid, created=created)

    def session() -> list[psutil.Process]:
        found = ray_session.session_processes(head.pid, created)
        return [process for process in found if not ray_session.has_ended(process)]

    try:
        while not any(process.cmdline()[:1] == ["ray::RuntimeEnvAgent"] for process in session()):
            pass
        assert ray_process.stop_ray(state, timeout_s=300.0) == []
        assert session() == []
    finally:
        ray_session.kill_session(head.pid, created)
        head.wait()


SLOW_HEAD = """
if [ -e "$1" ]; then mkdir -p "$2/r"; echo 127.0.0.1:1 >"$2/r/ray_current_cluster"; exec sleep 600; fi
touch "$1"; echo "Exception: The current node timed out during startup."; exit 1
"""
"""A head that gives up its first start, as Ray does on a busy machine."""


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_ray_that_gave_up_its_start_is_started_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = str(tmp_path / "tried")
    monkeypatch.setattr(
        ray_process, "_ray_command", lambda into, *_: ["sh", "-c", SLOW_HEAD, "sh", tried, into]
    )

    state = ray_process.start_ray(tmp_path, "n")

    try:
        assert state.address == "127.0.0.1:1"
        assert system_state.read(tmp_path) == state
    finally:
        ray_process.stop_ray(state)


def test_a_ray_that_fails_for_another_cause_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = ["sh", "-c", 'echo "$0" >>"$1"; echo no memory; exit 1', "x", str(tmp_path / "tries")]
    monkeypatch.setattr(ray_process, "_ray_command", lambda *_: failing)

    with pytest.raises(Unavailable, match="Ray ended at start: no memory"):
        ray_process.start_ray(tmp_path, "n")

    assert (tmp_path / "tries").read_text() == "x\n"
    state = system_state.read(tmp_path)
    assert state is not None
    ray_process.stop_ray(state)


def test_a_stop_at_another_address_does_not_forget_the_system_of_this_home(home: Path) -> None:
    home.mkdir(exist_ok=True)
    state = SystemState(namespace="n", address="127.0.0.1:1")
    system_state.write(home, state)

    stop(Session(Options(address="127.0.0.1:2")), 0.0)

    assert system_state.read(home) == state
