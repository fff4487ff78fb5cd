"""Fixtures of the driver tests: a local driver on a real filesystem."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from share_actors.drivers.filesystem.acl import ACCESS, encode, from_mode
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import RequestContext, Share

CONTEXT = RequestContext()
SHARE = Share(id="s1", size=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def driver(root: Path) -> LocalDriver:
    driver = LocalDriver(configuration=LocalOptions(root=root), backend_name="here")
    driver.do_setup(CONTEXT)
    return driver


@pytest.fixture
def inside(driver: LocalDriver) -> Path:
    """The directory of the share `SHARE`, which exists."""
    (export,) = driver.create_share(CONTEXT, SHARE)
    return Path(export.path)


@pytest.fixture
def keeps_acls(tmp_path: Path) -> None:
    try:
        os.setxattr(tmp_path, ACCESS, encode(from_mode(0o700)))
    except OSError as error:
        pytest.skip(f"{tmp_path} is on a filesystem without POSIX ACLs: {error.strerror}")


def in_child(run: Callable[[], object]) -> str:
    """Run *run* in a child process; returns its result or exception as text."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            text = str(run())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def passable() -> Iterator[Path]:
    """A directory that every user can pass through, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="share-actors-") as directory:
        os.chmod(directory, 0o711)
        yield Path(directory)
