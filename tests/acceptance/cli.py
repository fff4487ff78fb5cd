"""The real command line in processes of its own, and a home for it that is cleared up by process id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from share_actors.actors.runtime import system_state
from share_actors.cli import ray_process

COMMAND = [sys.executable, "-m", "share_actors.cli"]
HEEDING_SIGINT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from share_actors.cli import main
main()
"""
PATIENCE_S = 120.0


class Ended(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["error"]
        return found


class CommandLine:
    """`share-actors` for one home."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_ACTORS_", "RAY_"))}
        self.environment = {**kept, "SHARE_ACTORS_HOME": str(home), **(environment or {})}

    def __call__(self, *args: str) -> Ended:
        ended = subprocess.run(
            [*COMMAND, *args], env=self.environment, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def json(self, *args: str) -> Any:
        """The document that a command answers with, which must succeed."""
        ended = self("--json", *args)
        assert ended.code == 0, ended
        return ended.document

    def start(self, *args: str) -> subprocess.Popen[str]:
        """A command that goes on in the background, and heeds SIGINT as it would on a terminal."""
        return subprocess.Popen(
            [sys.executable, "-c", HEEDING_SIGINT, *args], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def kill_everything(self) -> None:
        """`kill -9` on every process of the home's system, by the ids that it recorded."""
        state = system_state.read(self.home)
        if state is None or state.pid is None:
            return
        for process in ray_process.session_processes(state.pid, state.created):
            with suppress(psutil.NoSuchProcess):  # it went with the one before
                process.kill()

    def clear_up(self) -> None:
        """Leave no process, whatever the tests did."""
        state = system_state.read(self.home)
        if state is not None:
            self.kill_everything()
            ray_process.stop_ray(state)
