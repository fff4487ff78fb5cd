"""Fixtures: `btrfs-servers` backends on small loop images, of whose names nothing is left after a test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from share_actors.drivers.btrfs_servers import BtrfsServersDriver, BtrfsServersOptions
from share_actors.drivers.filesystem.mounts import mounts_below, unmount
from share_actors.testing.contracts.late import LateCallContract
from share_actors.testing.leftovers import own_directory, started_with
from share_actors.values import RequestContext
from tests.storage.conftest import need

CONTEXT = RequestContext(attempt=1)
NEEDED = {
    "mkfs.btrfs": "btrfs-progs",
    "ganesha.nfsd": "nfs-ganesha",
    "dbus-daemon": "dbus-daemon",
    "rpcbind": "rpcbind",
    "ip": "iproute2",
}
"""The programs that the tests run, and the packages that have them."""


class MakeDriver(Protocol):
    """Makes a driver that is not started, of this class and with these options."""

    def __call__(
        self, kind: type[BtrfsServersDriver] = ..., **changes: object
    ) -> BtrfsServersDriver: ...


@pytest.fixture(autouse=True, scope="package")
def _fewer_steps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fewer changes than of other drivers before which a call stalls: each takes ten seconds."""
    with pytest.MonkeyPatch.context() as patched:
        if not request.config.getoption("--all-steps"):
            patched.setattr(LateCallContract, "most_stalls", 2)
        yield


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory of which nothing is left; what a killed run leaves, the next one removes."""
    with own_directory() as directory:
        yield directory


@pytest.fixture
def make_driver(tmp_path: Path) -> Iterator[MakeDriver]:
    """Makes drivers that are not started; afterwards nothing of their backends may be left."""
    need(NEEDED)
    made: list[BtrfsServersDriver] = []
    numbers = count()

    def make(
        kind: type[BtrfsServersDriver] = BtrfsServersDriver, **changes: object
    ) -> BtrfsServersDriver:
        number = next(numbers)
        options = {
            "device": tmp_path / f"disk{number}.img",
            "root": tmp_path / f"root{number}",
            "image_size_gib": 4,
        }
        configuration = BtrfsServersOptions.model_validate({**options, **changes})
        driver = kind(True, configuration=configuration, backend_name="disk")
        made.append(driver)
        return driver

    try:
        yield make
    finally:
        try:
            for driver in made:
                driver.stop_backend(CONTEXT)
                assert driver.strays(delete=True) == ()
        finally:
            for found in mounts_below(tmp_path):
                unmount(found.path)
            assert started_with(tmp_path) == []


@pytest.fixture
def driver(make_driver: MakeDriver) -> BtrfsServersDriver:
    """A running driver on an empty filesystem of 4 GiB."""
    driver = make_driver()
    driver.start_backend(CONTEXT)
    driver.do_setup(CONTEXT)
    return driver


def root_of(driver: BtrfsServersDriver) -> Path:
    """The root directory of the backend."""
    return driver.exclusive_directories()["root"]
