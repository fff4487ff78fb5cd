"""A real smbd on a free port of the loopback address, with users and clients."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.drivers.samba import Samba, SambaSettings
from share_actors.drivers.samba.programs import PACKAGES
from share_actors.drivers.supervision.processes import is_alive
from share_actors.testing.visits import Gone, Refused
from tests.storage.cifs_client import CifsMounts, cifs_mounts
from tests.storage.conftest import directory, need

__all__ = ["directory"]
HOST = "127.0.0.1"
PASSWORDS = {"alice": "secret of alice", "bob": "secret of bob"}


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def settings(directory: Path) -> SambaSettings:
    need(PACKAGES)
    return SambaSettings(directory=directory / "smb", address=HOST, port=free_port())


@pytest.fixture
def stopped(settings: SambaSettings) -> Iterator[Samba]:
    """An smbd that does not run, with the users `PASSWORDS`."""
    samba = Samba(settings)
    for user, password in PASSWORDS.items():
        samba.set_user(user, password)
    try:
        yield samba
    finally:
        samba.stop()


@pytest.fixture
def samba(stopped: Samba) -> Samba:
    """An smbd that runs."""
    stopped.start()
    return stopped


@pytest.fixture
def share(directory: Path) -> Path:
    """A directory to export."""
    path = directory / "share"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def mount(settings: SambaSettings) -> Iterator[CifsMounts]:
    """Mounts shares of `samba`; all are unmounted at the end."""
    with cifs_mounts(settings.port, PASSWORDS) as mounts:
        yield mounts


@pytest.fixture
def small_disk(directory: Path) -> Iterator[Path]:
    """A filesystem of 4 MiB."""
    path = directory / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


OUT = (Refused, Gone)


def processes(settings: SambaSettings) -> list[psutil.Process]:
    """All processes with the directory of *settings* among their arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if is_alive(process) and str(settings.directory) in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
