"""`system.json`, and which Ray cluster an address stands for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import lifecycle, system_state
from share_actors.actors.runtime.system_state import LOOPBACK, SystemState, resolve_address, write
from share_actors.errors import ConfigError, Unavailable


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


def test_auto_ignores_a_system_whose_process_is_gone(home: Path) -> None:
    write_state(home, created=1.0)

    assert resolve_address("auto") == ("auto", {})


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


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "auto", "ray://127.0.0.1:10001"])
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
