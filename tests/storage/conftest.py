"""Fixtures of the tests of real storage: what they need of this machine, and a network for clients."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.testing.leftovers import new_directory, remove_directory, remove_leftovers
from share_actors.testing.nfs.libnfs import LIBRARY
from share_actors.testing.nfs.networks import ClientNetwork, client_network
from tests.storage.needs import forbidden

PROGRAMS = {"ip": "iproute2", "losetup": "mount", "umount": "mount", "chattr": "e2fsprogs"}
"""The programs that these tests run themselves, and their Debian packages."""


def need(programs: dict[str, str]) -> None:
    """Skip the test, naming the Debian package, unless it runs as root and finds *programs*."""
    if os.geteuid():
        pytest.skip("only root can make namespaces, mounts and loop devices")
    if forbidden():
        pytest.skip(forbidden())
    for program, package in programs.items():
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is missing: install the Debian package {package}")


@pytest.fixture(scope="session")
def network() -> Iterator[ClientNetwork]:
    """Namespaces with the addresses of a server and of two clients."""
    need(PROGRAMS)
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip(f"{LIBRARY} is missing: install the Debian package libnfs13")
    remove_leftovers()
    with client_network() as made:
        yield made


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose processes, mounts and loop devices are removed with it."""
    need(PROGRAMS)
    made = new_directory()
    try:
        yield made
    finally:
        remove_directory(made)
