"""Runs of the contract in a process of its own: deaths and stalls of the driver do not reach the caller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.drivers.base import DriverError
from share_actors.errors import ConfigError, Unavailable
from share_actors.testing.grading.grade import Grade, Outcome, graded
from share_actors.testing.grading.plan import Plan

POLL_S = 0.1
CLASSES = {"shares": "TestShares", "servers": "TestServers"}
TROUBLE = (2, 3, 4, 5)
"""Exit codes of pytest: interrupted, an internal error, a wrong call, and no tests."""


class Progress(NamedTuple):
    """How far a run is."""

    done: int
    tests: int
    broken: int
    test: str


def grade(
    plan: Plan,
    *,
    version: str = "",
    system_version: str = "",
    progress: Callable[[Progress], None] = lambda _: None,
) -> Grade:
    """Run the contract on the driver of *plan*; *progress* is called after each test.

    Raises `ConfigError` if the driver cannot be made, and `Unavailable` if the run ends before its tests.
    """
    _check(plan)
    began = time.monotonic()
    outcomes = list(_outcomes(plan, progress))
    return Grade(
        driver=plan.driver,
        version=version,
        system_version=system_version,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - began, 1),
        quick=plan.quick,
        promises=graded(outcomes),
    )


def _check(plan: Plan) -> None:
    """Make the driver once, so that a wrong option is told as such and not as a broken promise."""
    if find_spec("pytest") is None:
        raise Unavailable(
            "the contract needs pytest, which is not installed",
            next_step="Run `pip install 'share-actors[testing]'`, then try again.",
        )
    if plan.contract_class() is not None:
        return
    modes = plan.modes()
    with tempfile.TemporaryDirectory(prefix="share-actors-grade-") as directory:
        try:
            plan.make(Path(directory), servers="shares" not in modes)
        except DriverError as error:
            raise ConfigError(
                f"{plan.driver}: {error}", field="driver", value=plan.driver
            ) from None


def _outcomes(plan: Plan, progress: Callable[[Progress], None]) -> Iterator[Outcome]:
    """The outcomes of all tests, in the order of their ends."""
    tests = done = broken = 0
    begun: dict[str, Any] = {}
    with _started(plan) as (process, report):
        for document in _documents(process, report, plan.test_limit_s):
            if "tests" in document:
                tests = document["tests"]
                continue
            if document["outcome"] == "begun":
                begun = document
                continue
            outcome = Outcome.model_validate(document)
            done, broken = done + 1, broken + (outcome.outcome == "failed")
            progress(Progress(done, tests, broken, outcome.test))
            yield outcome
        if process.poll() is None and begun:
            yield _hung(begun, plan.test_limit_s, tests - done - 1)
        elif process.returncode is None or process.returncode in TROUBLE or done < tests:
            raise _trouble(process, report.with_name("output"), done, tests)


def _hung(begun: Mapping[str, Any], limit_s: float, more: int) -> Outcome:
    """The outcome of a test that did not end; *more* tests were not begun."""
    seen = f"that it goes on: it was stopped, and {more} further tests were not made"
    told = {"tried": "the whole test", "expected": f"an end within {limit_s:g} s", "seen": seen}
    return Outcome.model_validate({**begun, "outcome": "failed", "seconds": limit_s, **told})


@contextmanager
def _started(plan: Plan) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process that runs the tests, and the file of its report; it is ended with the block."""
    with tempfile.TemporaryDirectory(prefix="share-actors-grade-") as directory:
        report, output = Path(directory, "report"), Path(directory, "output")
        report.touch()
        with output.open("wb") as file:
            process = subprocess.Popen(
                _command(plan, report, Path(directory)),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it is ended with the processes that it forked
                env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            )
            try:
                yield process, report
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _command(plan: Plan, report: Path, directory: Path) -> list[str]:
    tests = Path(__file__).with_name("graded.py")
    return [
        *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull),
        *("-p", "share_actors.testing.grading.plugin", "-p", "no:cacheprovider"),
        *(f"--rootdir={directory}", f"--basetemp={directory / 'tests'}"),
        *("--grading-plan", str(_private(directory / "plan", plan.model_dump_json()))),
        *("--grading-report", str(report)),
        *(f"{tests}::{CLASSES[mode]}" for mode in plan.modes()),
    ]


def _private(file: Path, text: str) -> Path:
    """Write *text*, which may have secrets, to a new *file*, which no other user can read."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    return file


def _documents(
    process: subprocess.Popen[bytes], report: Path, limit_s: float
) -> Iterator[dict[str, Any]]:
    """The lines of the report as they are written, until the process has ended, or says nothing."""
    with report.open(encoding="utf-8") as file:
        ended, partial, last = False, "", time.monotonic()
        while True:
            line = file.readline()
            if line.endswith("\n"):
                yield json.loads(partial + line)
                partial, last = "", time.monotonic()
            elif ended or time.monotonic() - last > limit_s:
                return
            else:
                partial += line
                ended = process.poll() is not None
                if not ended:
                    time.sleep(POLL_S)


def _trouble(process: subprocess.Popen[bytes], output: Path, done: int, tests: int) -> Unavailable:
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-20:]
    told = "\n".join(lines)
    code = process.returncode
    ended = "did not begin" if code is None else f"ended with {code}"
    return Unavailable(f"the run of the contract {ended} after {done} of {tests} tests:\n{told}")
