"""The real command line in its own processes, with a home whose processes are killed by their ids."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

from share_actors.actors.runtime import system_state
from share_actors.cli import ray_process, ray_session
from tests.preloaded import programs

PROGRAM_WITH_SIGINT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from share_actors.cli import main
main()
"""
MAX_WAIT_S = 120.0


class Result(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error in the JSON document."""
        error: dict[str, Any] = self.document["error"]
        return error


class CommandLine:
    """`share-actors` with its own home; at the end of a `with` block nothing of it is left."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._started: list[subprocess.Popen[str]] = []
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SHARE_ACTORS_", "RAY_"))
        }
        self.environment = {**inherited, "SHARE_ACTORS_HOME": str(home), **(environment or {})}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.clear_up()

    def __call__(self, *args: str) -> Result:
        """Run a command to its end."""
        ended = subprocess.run(
            [programs.share_actors(), *args],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=MAX_WAIT_S,
            check=False,
        )
        return Result(ended.returncode, ended.stdout, ended.stderr)

    def json(self, *args: str) -> Any:
        """The JSON document of a command that must succeed."""
        result = self("--json", *args)
        assert result.code == 0, result
        return result.document

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command that handles SIGINT as on a terminal."""
        return self.start_program(programs.forked(), PROGRAM_WITH_SIGINT, *args)

    def start_program(
        self, python: Sequence[str], program: str, *args: str
    ) -> subprocess.Popen[str]:
        """Start *program* with this home; `clear_up` ends it. *python* is the start of its command."""
        process = subprocess.Popen(
            [*python, "-c", program, *args],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    def kill_everything(self) -> None:
        """`kill -9` every process of the home's system, by the ids that it recorded."""
        state = system_state.read(self.home)
        if state is None or state.pid is None:
            return
        for process in ray_session.session_processes(state.pid, state.created):
            with suppress(psutil.NoSuchProcess):  # a child may end together with its parent
                process.kill()

    def clear_up(self) -> None:
        """Leave no process and no open pipe, whatever the tests did."""
        for process in self._started:
            with process:  # closes its pipes, and waits for it
                process.kill()
        state = system_state.read(self.home)
        if state is not None:
            self.kill_everything()
            ray_process.stop_ray(state)
