"""Where an address leads: which Ray cluster a client or command connects to."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import lifecycle, system_state
from share_actors.actors.runtime.system_state import LOOPBACK, SystemState, reach, write
from share_actors.errors import ConfigError, Unavailable


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


def left_by_up(home: Path, *, created: float | None = None) -> SystemState:
    """What `up` leaves, of a Ray whose head is this process."""
    born = psutil.Process().create_time() if created is None else created
    state = SystemState(
        namespace="n", address="127.0.0.1:1234", pid=os.getpid(), created=born, token="/t"
    )
    write(home, state)
    return state


@pytest.fixture
def closed() -> int:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1234"])
def test_the_system_that_up_left_is_reached_with_its_token(home: Path, address: str) -> None:
    state = left_by_up(home)

    assert reach(address) == ("127.0.0.1:1234", state.environment)
    assert state.environment["RAY_AUTH_TOKEN_PATH"] == "/t"


def test_one_whose_process_is_gone_is_not_reached(home: Path) -> None:
    left_by_up(home, created=1.0)

    assert reach("auto") == ("auto", {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_loopback_address_means_just_that(host: str) -> None:
    assert reach(f"{host}:6379") == (f"{host}:6379", LOOPBACK)


def test_somebody_else_s_cluster_on_this_machine_is_reached_once_a_system_is_up_there(
    home: Path,
) -> None:
    write(home, SystemState(namespace="n", address="127.0.0.1:6379"))

    assert reach("auto") == reach("127.0.0.1:6379") == ("127.0.0.1:6379", LOOPBACK)


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "auto", "ray://127.0.0.1:10001"])
def test_other_addresses_are_left_to_ray(address: str) -> None:
    assert reach(address) == (address, {})


def test_a_state_file_that_is_damaged_is_named(home: Path) -> None:
    system_state.path(home).write_text("{")

    with pytest.raises(ConfigError, match=r"system\.json can't be read") as error:
        reach("auto")
    assert error.value.field == "home"


def test_connecting_to_where_nothing_listens_says_so_at_once(closed: int) -> None:
    with pytest.raises(Unavailable, match="nothing answers at") as error:
        lifecycle.init(f"127.0.0.1:{closed}")
    assert (error.value.field, error.value.value) == ("address", f"127.0.0.1:{closed}")
    assert "share-actors up" in error.value.details["next_step"]
