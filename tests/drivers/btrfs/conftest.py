"""Fixtures: `btrfs` backends on small loop images below the temporary directory of a test."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from share_actors.drivers.btrfs import BtrfsDriver, BtrfsOptions
from share_actors.drivers.filesystem.mounts import mounts_below, unmount
from share_actors.testing.contracts.interruption import InterruptionContract
from share_actors.testing.contracts.late import LateCallContract
from share_actors.testing.contracts.remains import RemainsContract
from share_actors.testing.leftovers import own_directory
from share_actors.values import AccessRule, RequestContext, Share
from tests.storage.conftest import directory, need

__all__ = ["directory"]
CONTEXT = RequestContext(attempt=1)
NEEDED = {
    "mkfs.btrfs": "btrfs-progs",
    "ganesha.nfsd": "nfs-ganesha",
    "dbus-daemon": "dbus-daemon",
}
"""The programs that the tests run, and the packages that have them."""
MIB = 1024**2
WRITTEN_MIB = 100
MakeDriver = Callable[..., BtrfsDriver]


@pytest.fixture(autouse=True, scope="package")
def _fewer_steps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fewer steps than of other drivers at which btrfs crashes and stalls: each takes a second."""
    with pytest.MonkeyPatch.context() as patched:
        if not request.config.getoption("--all-steps"):
            patched.setattr(InterruptionContract, "most_steps", 2)
            patched.setattr(RemainsContract, "most_steps", 2)
            patched.setattr(LateCallContract, "most_stalls", 2)
        yield


def free_ports(number: int) -> list[int]:
    """Free TCP ports of the loopback address."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory of which nothing is left; what a killed run leaves, the next one removes."""
    with own_directory() as directory:
        yield directory


@contextmanager
def drivers_in(directory: Path) -> Iterator[MakeDriver]:
    """Makes drivers that are not started; at the end all of them are stopped, and all is unmounted."""
    need(NEEDED)
    made: list[BtrfsDriver] = []

    def make(**changes: object) -> BtrfsDriver:
        nfs, mount = free_ports(2)
        options = {
            "device": directory / "disk.img",
            "root": directory / "root",
            "image_size_gib": 4,
            "nfs_port": nfs,
            "mount_port": mount,
        }
        configuration = BtrfsOptions.model_validate({**options, **changes})
        made.append(BtrfsDriver(configuration=configuration, backend_name="disk"))
        return made[-1]

    try:
        yield make
    finally:
        try:
            for driver in made:
                driver.stop_backend(CONTEXT)
        finally:
            for found in mounts_below(directory):
                unmount(found.path)


@pytest.fixture
def make_driver(tmp_path: Path) -> Iterator[MakeDriver]:
    """Makes drivers that are stopped at the end."""
    with drivers_in(tmp_path) as make:
        yield make


@pytest.fixture
def driver(make_driver: MakeDriver) -> BtrfsDriver:
    """A running driver on an empty filesystem of 4 GiB."""
    driver = make_driver()
    driver.start_backend(CONTEXT)
    driver.do_setup(CONTEXT)
    return driver


def place(driver: BtrfsDriver, share: Share) -> Path:
    """Where the share is mounted, as the NFS server sees it."""
    return driver.exclusive_directories()["root"] / "exports" / share.id


def subvolume(driver: BtrfsDriver, *names: str) -> Path:
    """The path of a subvolume in the mounted filesystem."""
    return driver.exclusive_directories()["root"].joinpath("pool", *names)


def fill(path: Path, mebibytes: int, *, all_written: bool = False) -> None:
    """Write a file of this size to the disk; the first part of a large one is only allocated by default."""
    with path.open("wb") as file:
        allocated = 0 if all_written else max(mebibytes - WRITTEN_MIB, 0)
        if allocated:
            os.posix_fallocate(file.fileno(), 0, allocated * MIB)
            file.seek(0, os.SEEK_END)
        for _ in range(mebibytes - allocated):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())


def run(*command: str | Path) -> str:
    """The output of a command, which must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def share(driver: BtrfsDriver) -> Share:
    """A share of 1 GiB that exists."""
    share = Share(id="s1", size=1, host="disk")
    driver.create_share(CONTEXT, share)
    return share


RULE = AccessRule(id="r1", access_type="ip", access_to="192.0.2.7")
