"""A system in this process, and the command line on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from share_actors import testing
from share_actors.cli.session import Session
from share_actors.testing import SyncInProcessSystem
from tests.docs.shell import root

CommandLine = Callable[..., Result]


@pytest.fixture(scope="module")
def shared() -> Iterator[SyncInProcessSystem]:
    """The system of the tests of one module."""
    with testing.sync_system() as system:
        yield system


@pytest.fixture
def system(shared: SyncInProcessSystem) -> Iterator[SyncInProcessSystem]:
    """The system, without shares again after the test."""
    yield shared
    for share in shared.shares(limit=1000).items:
        share.delete(cascade=True)


@pytest.fixture
def invoke(system: SyncInProcessSystem, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Runs a command line on the system."""
    monkeypatch.setattr(Session, "system", system)

    def run(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(root(), list(words), input=stdin)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes | str], str]:
    """Writes a file, and returns its path."""

    def file(content: bytes | str) -> str:
        path = tmp_path / "items"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return file


def lines_of(result: Result) -> list[Any]:
    """The JSON documents on stdout, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]
