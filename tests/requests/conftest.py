"""One system in this process for the tests of a module, and the command line on it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from share_actors.cli.session import Session
from share_actors.client import ShareSystem
from share_actors.testing import sync_system
from tests.command_tree import invoke
from tests.tenants.callers import Blue, two_backends
from tests.waiting import until

Run = Callable[[str], Any]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShareSystem]:
    with sync_system(two_backends(tmp_path_factory.mktemp("requests"))) as running:
        until(lambda: len(running.backends.list().items) == 2)
        yield running


@pytest.fixture
def cli(system: ShareSystem, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line on the system."""
    monkeypatch.setattr(Session, "system", system)
    return lambda line: invoke(shlex.split(line))


@pytest.fixture
def blue(system: ShareSystem) -> Blue:
    """Makes shares, snapshots, networks and servers, for the operator of the command line."""
    made = Blue(system)
    made.user = made.operator = system
    return made


def document(result: Any) -> Any:
    """The JSON document on stdout."""
    return json.loads(result.stdout)
