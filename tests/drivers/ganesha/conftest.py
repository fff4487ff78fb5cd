"""Fixtures: a real NFS-Ganesha on 127.0.0.1, ended and checked for leftovers after each test."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from share_actors.drivers.ganesha import Ganesha, GaneshaSettings
from share_actors.testing.leftovers import own_directory
from share_actors.testing.nfs.libnfs import LIBRARY, Nfs, NfsError
from tests.storage.needs import forbidden
from tests.waiting import until

_PROGRAMS = {"ganesha.nfsd": "nfs-ganesha-vfs", "dbus-daemon": "dbus-daemon", "rpcbind": "rpcbind"}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until *condition*, which looks at daemons, holds."""
    until(condition, seconds=60.0, pause_s=0.002)


@pytest.fixture(scope="session")
def can_run() -> None:
    """Skips, naming what is missing."""
    if os.geteuid() != 0:
        pytest.skip("requires root")
    if forbidden():
        pytest.skip(forbidden())
    for program, package in _PROGRAMS.items():
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            pytest.skip(f"requires the Debian package {package}")
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip("requires the Debian package libnfs13")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory of which nothing is left; what a killed run leaves, the next one removes."""
    with own_directory() as directory:
        yield directory


class Running:
    """A unit that runs, with what the tests ask about it."""

    def __init__(self, settings: GaneshaSettings) -> None:
        self.settings, self.unit = settings, Ganesha(settings)
        self.files = settings.files

    def pid(self, part: str) -> int:
        """The id of the process of *part*; 0 if none is recorded."""
        try:
            return int(json.loads((self.files.pids / part).read_text())["pid"])
        except FileNotFoundError:
            return 0

    def kill(self, part: str) -> int:
        """Kill *part* by SIGKILL, and wait for its exit; returns its id."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not runs(pid))
        return pid

    def access(self, export: str) -> str:
        """What a client at 127.0.0.1 may do in *export*."""
        settings = self.settings
        version = min(settings.versions)
        ports = {"port": settings.nfs_port, "mount_port": settings.mount_port}
        try:
            client = Nfs(settings.address, f"/{export}", version=version, timeout_ms=5000, **ports)
        except NfsError:
            return "none"
        try:
            return "rw" if _writes(client) else "ro"
        finally:
            client.disconnect()


def _writes(client: Nfs) -> bool:
    try:
        with client.opened("/written", os.O_RDWR | os.O_CREAT) as file:
            client.write(file, 0, b"text")
    except NfsError:
        return False
    return True


def runs(pid: int) -> bool:
    """Whether a process with the id runs, and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_of(directory: Path) -> list[psutil.Process]:
    """The processes whose command line or environment names *directory*."""
    text = str(directory)
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline()[1:], process.environ().get("DBUS_SYSTEM_BUS_ADDRESS", "")]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(text in word for word in about):
            found.append(process)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> GaneshaSettings:
    nfs_port, mount_port = free_ports(2)
    return GaneshaSettings(directory=tmp_path / "unit", nfs_port=nfs_port, mount_port=mount_port)


@pytest.fixture
def new_unit(can_run: None) -> Iterator[Callable[[GaneshaSettings], Running]]:
    """Makes units that are not started; each is stopped after the test, and must leave no process."""
    made: list[Running] = []

    def make(settings: GaneshaSettings) -> Running:
        made.append(Running(settings))
        return made[-1]

    yield make
    for one in made:
        one.unit.stop()
        left = processes_of(one.settings.directory)
        for process in left:
            process.kill()
        assert left == []


@pytest.fixture
def running(new_unit: Callable[[GaneshaSettings], Running], settings: GaneshaSettings) -> Running:
    """A unit that was started."""
    made = new_unit(settings)
    made.unit.start()
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory to export, which every user may write to."""
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(0o777)
    return path
