"""`system.json`, and which Ray cluster an address stands for."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import lifecycle, system_state
from share_actors.actors.runtime.system_state import (
    LOOPBACK,
    SystemState,
    check_joined,
    read,
    resolve_address,
    write,
)
from share_actors.errors import ConfigError, Refused, Unavailable


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


def write_state(home: Path, *, created: float | None = None) -> SystemState:
    """Write the state of a system whose Ray head is this process."""
    created = psutil.Process().create_time() if created is None else created
    state = SystemState(
        namespace="n", address="127.0.0.1:1234", pid=os.getpid(), created=created, token="/t"
    )
    write(home, state)
    return state


@pytest.fixture
def closed_port() -> int:
    """A port at which no process listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1234"])
def test_the_address_of_a_running_system_is_resolved_with_its_token(
    home: Path, address: str
) -> None:
    state = write_state(home)

    assert resolve_address(address) == ("127.0.0.1:1234", state.environment)
    assert state.environment["RAY_AUTH_TOKEN_PATH"] == "/t"


def test_a_system_is_dead_once_a_part_of_its_ray_has_ended(home: Path) -> None:
    part = subprocess.Popen(["sleep", "600"])
    at = psutil.Process(part.pid).create_time()
    write(home, write_state(home).replace(parts=((part.pid, at),)))
    state = read(home)
    assert state is not None
    assert state.alive

    part.kill()
    part.wait()

    assert (state.alive, state.ended) == (False, part.pid)


@pytest.mark.parametrize("recorded", [True, False])
def test_auto_is_the_system_of_this_home_or_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if recorded:
        write_state(home, created=1.0)

    with pytest.raises(Unavailable, match=f"no system is running in {home}") as error:
        resolve_address("auto")
    assert (error.value.field, error.value.value) == ("address", "auto")
    assert "share-actors up" in error.value.details["next_step"]


def test_auto_is_the_cluster_in_rays_variable_if_this_home_has_no_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")

    assert resolve_address("auto") == ("10.0.0.1:6379", {})


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "10.0.0.1:1", "ray://10.0.0.9:1"])
def test_a_process_that_joined_a_cluster_connects_to_that_cluster(address: str) -> None:
    joined = "10.0.0.1:1" if address.endswith(":1") else "10.0.0.1:6379"

    check_joined(address, joined)
    check_joined("localhost:7", "127.0.0.1:7")


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1234", "10.0.0.1:6379"])
def test_an_address_of_another_cluster_than_the_joined_one_is_refused(
    home: Path, address: str
) -> None:
    write_state(home)

    with pytest.raises(Refused, match=r"has joined the one at 10\.0\.0\.2:6379") as error:
        check_joined(address, "10.0.0.2:6379")
    assert (error.value.field, error.value.value) == ("address", address)


def test_a_temporary_file_that_a_killed_process_left_does_not_prevent_writing(home: Path) -> None:
    for name in (f"system.{os.getpid()}", ".system.json.left"):
        (home / name).mkdir()

    assert write_state(home) == system_state.read(home)
    assert sorted(f.name for f in home.iterdir() if f.is_file()) == ["system.json"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_keeps_ray_on_the_loopback_interface(host: str) -> None:
    assert resolve_address(f"{host}:6379") == (f"{host}:6379", LOOPBACK)


def test_auto_resolves_to_another_cluster_on_this_machine_where_a_system_was_started(
    home: Path,
) -> None:
    write(home, SystemState(namespace="n", address="127.0.0.1:6379"))

    assert (
        resolve_address("auto") == resolve_address("127.0.0.1:6379") == ("127.0.0.1:6379", LOOPBACK)
    )


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "ray://127.0.0.1:10001"])
def test_other_addresses_are_passed_to_ray_unchanged(address: str) -> None:
    assert resolve_address(address) == (address, {})


def test_a_damaged_state_file_is_a_config_error_of_home(home: Path) -> None:
    system_state.path(home).write_text("{")

    with pytest.raises(ConfigError, match=r"system\.json can't be read") as error:
        resolve_address("auto")
    assert error.value.field == "home"


def test_connecting_to_a_closed_port_fails_at_once(closed_port: int) -> None:
    with pytest.raises(Unavailable, match="nothing is listening at") as error:
        lifecycle.init(f"127.0.0.1:{closed_port}")
    assert (error.value.field, error.value.value) == ("address", f"127.0.0.1:{closed_port}")
    assert "share-actors up" in error.value.details["next_step"]
