"""Directories of backends: one system at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.directories import LOCK_FILE, Directories
from share_actors.config import BackendSettings
from share_actors.drivers.base import DriverError, ShareDriver
from share_actors.drivers.registry import make_driver
from share_actors.errors import Refused, Unavailable
from share_actors.events.log.lease.lease import Owner
from tests.conftest import within

ONE = Owner("session-1/n", "n", "/home/one", "here", 1)
TWO = Owner("session-2/n", "n", "/home/two", "here", 2)
KINDS = pytest.mark.parametrize("kind", ["local", "local-servers", "dummy"])
OPTIONS = {"dummy": "directory"}
"""The option with the directory; by default `root`."""


def driver_of(kind: str, root: Path) -> ShareDriver:
    options = {OPTIONS.get(kind, "root"): str(root)}
    return make_driver("b", kind, options, handles_servers=kind == "local-servers")


@KINDS
def test_a_second_system_on_one_root_is_refused_with_who_holds_it(
    tmp_path: Path, kind: str
) -> None:
    Directories(lambda: ONE).hold(driver_of(kind, tmp_path))
    holder = Directories(lambda: ONE)  # another process of the same system
    holder.hold(driver_of(kind, tmp_path))

    with pytest.raises(DriverError, match=r"in use by the system in .* home /home/one") as error:
        Directories(lambda: TWO).hold(driver_of(kind, tmp_path), wait_s=0.0)
    option = OPTIONS.get(kind, "root")
    assert f"backends.b.options.{option} {tmp_path}" in str(error.value)
    assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_a_start_on_the_root_of_another_system_is_refused_naming_the_option(tmp_path: Path) -> None:
    holder = Directories(lambda: ONE)
    holder.hold(driver_of("local", tmp_path))
    backends = {"b": BackendSettings(driver="local", options={"root": str(tmp_path)})}

    with pytest.raises(Refused, match="is in use by the system") as error:
        Directories(lambda: TWO).hold_at_start(backends)

    assert (error.value.field, error.value.value) == ("backends.b.options.root", str(tmp_path))
    assert error.value.details["holder"] == ONE.__dict__


@pytest.mark.parametrize("record", ["", "{", "[]", '{"owner": {}}'])
def test_a_record_without_a_holders_process_is_replaced(tmp_path: Path, record: str) -> None:
    (tmp_path / LOCK_FILE).write_text(record)

    Directories(lambda: TWO).hold(driver_of("local", tmp_path), wait_s=0.0)

    assert "/home/two" in (tmp_path / LOCK_FILE).read_text()


def test_the_root_of_a_system_that_died_is_free(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from tests.actors.test_directories import *;"
        f" Directories(lambda: ONE).hold(driver_of('local', Path({str(tmp_path)!r}))); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

    assert "/home/one" in (tmp_path / LOCK_FILE).read_text()
    Directories(lambda: TWO).hold(driver_of("local", tmp_path), wait_s=0.0)


def test_a_backend_whose_root_another_system_has_is_not_ready(tmp_path: Path) -> None:
    holder = Directories(lambda: ONE)
    holder.hold(driver_of("local", tmp_path))
    settings = {"b": BackendSettings(driver="local", options={"root": str(tmp_path)})}

    async def use() -> None:
        backends = BackendDrivers(settings, Directories(lambda: TWO).hold)
        preparation = backends.preparation("b")
        assert preparation is not None
        await preparation
        backends.get("b")

    with pytest.raises(Unavailable, match=r"backend 'b' is not ready: .* is in use by the system"):
        within(10, use())
    assert [f.name for f in tmp_path.iterdir()] == [LOCK_FILE]


def test_a_root_that_the_driver_creates_is_held_from_then_on(tmp_path: Path) -> None:
    settings = {"b": BackendSettings(driver="local", options={"root": str(tmp_path / "new")})}
    backends = []

    async def use() -> None:
        backends.append(BackendDrivers(settings, Directories(lambda: ONE).hold))
        preparation = backends[0].preparation("b")
        assert preparation is not None
        await preparation
        backends[0].get("b")

    within(10, use())
    with pytest.raises(DriverError, match="is in use by"):
        Directories(lambda: TWO).hold(driver_of("local", tmp_path / "new"), wait_s=0.0)
