"""The automation of the page about audits, which reacts to events through kills and restarts."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli import CommandLine
from tests.acceptance.systems import kill
from tests.docs.pages import ROOT, blocks
from tests.preloaded import programs

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def cli() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="sa") as top, CommandLine(Path(top) / "home") as line:
        yield line


def automation() -> str:
    """The program as the page shows it."""
    page = ROOT / "docs" / "how-to" / "audit.md"
    (program,) = [block.text for block in blocks(page) if block.file == "announce.py"]
    return program


class Announcements:
    """The running program and the file that it writes."""

    def __init__(self, cli: CommandLine, file: Path) -> None:
        self._cli, self._file = cli, file
        self._program = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return self._cli.start_program(programs.forked(), automation(), str(self._file))

    def restart(self) -> None:
        """Kill the program, leave half a line as a crash might, and start it again."""
        self._program.kill()
        self._program.wait()
        with self._file.open("a") as file:
            file.write('{"position": 99')
        self._program = self._started()

    def shares(self) -> list[str]:
        """The ids that were announced, in order, without half a line."""
        text = self._file.read_text() if self._file.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line)["share"] for line in whole.splitlines()]

    def wait_for(self, created: list[str]) -> None:
        """Wait until as many were announced as were *created*."""
        end = time.monotonic() + 300
        while len(self.shares()) < len(created):
            assert self._program.poll() is None, self._program.communicate()
            if time.monotonic() > end:
                self._program.kill()
                raise AssertionError((self.shares(), created, self._program.communicate()))
            time.sleep(0.1)


def test_an_automation_announces_every_share_once_through_kills_and_restarts(
    cli: CommandLine, tmp_path: Path
) -> None:
    created: list[str] = []

    def create() -> None:
        created.extend(cli.json("share", "create", "--size", "1")["id"] for _ in range(2))

    cli.json("up")
    create()
    announcements = Announcements(cli, tmp_path / "announced.jsonl")
    announcements.wait_for(created)
    kill(cli.json("status")["manager"]["pid"])
    create()
    announcements.restart()
    create()
    cli.json("down")
    cli.json("up")
    create()

    announcements.wait_for(created)

    assert announcements.shares() == created
