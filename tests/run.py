"""The whole test suite in several pytest processes at once: `python -m tests.run [PYTEST OPTIONS]`.

Most tests wait for processes to start and to end, so a few lanes side by side need about half of the
time. Each lane has at most one Ray cluster. A line is printed for each test file that has finished;
the last line is the sum of all lanes. Exit status 1 if a test failed or a lane broke off.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

import psutil

from tests import packages

ROOT = Path(__file__).parents[1]
ACCEPTANCE = "tests/acceptance"
MAX_CONCURRENT = 6
"""Lanes at a time: two cores are busy, and no test waits so long for a core that it times out."""
SILENCE_S = 30.0
STOP_TIMEOUT_S = 60.0
MAX_FAILURE_LINES = 25
"""Lines of each failure at the end of the output, of which a log may keep no more."""

_FILES: Mapping[str, tuple[str, ...]] = {
    "units": ("tests",),
    "audit": (
        "tests/audit",
        "tests/bulk",
        "tests/erasure",
        "tests/proofs",
        "tests/retention",
        "tests/tenants",
    ),
    "edges": ("tests/input", "tests/drivers", "tests/testing", "tests/typing"),
    "commands": (
        f"{ACCEPTANCE}/test_cli.py",
        f"{ACCEPTANCE}/test_cli_surroundings.py",
        f"{ACCEPTANCE}/test_nodes.py",
        f"{ACCEPTANCE}/test_demo.py",
    ),
    "disks": ("tests/drivers/btrfs", "tests/drivers/samba"),
    "systems": (ACCEPTANCE,),
    "pages": ("docs",),
    "storage": ("tests/storage", "tests/drivers/ganesha", "tests/faults/test_storage_soak.py"),
    "machines": ("tests/machines", "tests/upgrades"),
    "services": (
        f"{ACCEPTANCE}/test_service.py",
        f"{ACCEPTANCE}/test_alone.py",
        f"{ACCEPTANCE}/test_pressure.py",
    ),
    "tour": ("README.md", "docs/tutorial.md", "docs/how-to/write-a-driver.md"),
    "kills": (f"{ACCEPTANCE}/test_survival.py", f"{ACCEPTANCE}/test_logs.py"),
    "soak": ("tests/faults/test_soak.py", "tests/faults/test_kill_table.py"),
    "model": ("tests/faults/test_simulation.py", "tests/faults/test_servers.py"),
    "servers": ("tests/drivers/btrfs_servers",),
}
"""Files and folders by lane; a file that a lane names is not run with its folder."""


def lanes() -> dict[str, list[str]]:
    """The arguments of each lane, the longest first; every test is in exactly one."""
    return {lane: [*paths, *_named_elsewhere(lane, paths)] for lane, paths in _FILES.items()}


def _named_elsewhere(lane: str, folders: tuple[str, ...]) -> list[str]:
    """Options that leave out of *folders* what other lanes name."""
    others = [path for other, paths in _FILES.items() if other != lane for path in paths]
    return [
        f"--ignore={path}" for path in others if path.startswith(tuple(f"{f}/" for f in folders))
    ]


class Lane:
    """One pytest process and its reports."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name, self.log = name, log
        self.file, self.file_began = "", time.monotonic()
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.progress"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, f"--progress-fd={writer}", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[writer],
                env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
                start_new_session=True,  # an interrupt reaches it from here, once
            )
        os.close(writer)
        self._reports = os.fdopen(reader, encoding="utf-8")

    def read(self, queue: SimpleQueue[tuple[Lane, dict[str, Any]]]) -> None:
        """Put every report into *queue*, then `{"exit": status}`; for a thread."""
        with self._reports:
            for line in self._reports:
                queue.put((self, json.loads(line)))
        queue.put((self, {"exit": self._process.wait()}))

    def interrupt(self) -> None:
        """Interrupt the tests, which then clean up."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait_or_kill(self) -> None:
        """Wait for the end of the tests, and kill them if that takes too long."""
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)


class Run:
    """All lanes, their counts, and what is printed of them."""

    def __init__(self, options: list[str], logs: Path, output: IO[str]) -> None:
        self._logs, self._output = logs, output
        self._options = [f"--randomly-seed={random.randrange(10**6)}", *options]
        self._waiting = list(lanes().items())
        self._running: list[Lane] = []
        self._queue: SimpleQueue[tuple[Lane, dict[str, Any]]] = SimpleQueue()
        self._began, self._times = time.monotonic(), psutil.cpu_times()
        self.outcomes: Counter[str] = Counter()
        self.files: dict[str, Counter[str]] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failures: dict[str, str] = {}
        self.broken: list[str] = []

    def run(self) -> int:
        """Run every lane; the exit status."""
        try:
            self._print("pytest " + " ".join(self._options))
            self._start()
            while self._running:
                self._next()
        finally:
            for lane in self._running:
                lane.interrupt()
            for lane in self._running:
                lane.wait_or_kill()
        self._summary()
        return 1 if self.broken or self.outcomes["failed"] else 0

    def _start(self) -> None:
        while self._waiting and len(self._running) < MAX_CONCURRENT:
            name, arguments = self._waiting.pop(0)
            lane = Lane(name, [*arguments, *self._options], self._logs / f"{name}.log")
            self._running.append(lane)
            Thread(target=lane.read, args=(self._queue,), daemon=True).start()

    def _next(self) -> None:
        try:
            lane, report = self._queue.get(timeout=SILENCE_S)
        except Empty:
            self._print("running: " + ", ".join(lane.file or lane.name for lane in self._running))
            return
        if "exit" in report:
            self._ended(lane, report["exit"])
        elif "started" in report:
            self._entered(lane, report["started"].partition("::")[0])
        else:
            self._count(report)

    def _count(self, report: Mapping[str, Any]) -> None:
        file = report["test"].partition("::")[0]
        self.seconds[file] += report["seconds"]
        if report["phase"] == "call" or report["outcome"] != "passed":
            self.outcomes[report["outcome"]] += 1
            self.files.setdefault(file, Counter())[report["outcome"]] += 1
        if report["outcome"] == "failed":
            self.failures[f"{report['test']} ({report['phase']})"] = report["text"]
            self._print(f"FAILED {report['test']} ({report['phase']})")

    def _entered(self, lane: Lane, file: str) -> None:
        """The first test of *file* begins: the file before it has finished."""
        if file != lane.file:
            self._finished(lane)
            lane.file, lane.file_began = file, time.monotonic()

    def _finished(self, lane: Lane) -> None:
        if lane.file:
            took = time.monotonic() - lane.file_began
            counts = self.files.get(lane.file, Counter())
            self._print(f"{lane.name:<8} {lane.file}: {in_words(counts)} in {took:.0f} s")

    def _ended(self, lane: Lane, status: int) -> None:
        self._finished(lane)
        self._running.remove(lane)
        if status not in (0, 5):  # 5: the options left no test of this lane
            self.broken.append(lane.name)
            print(lane.log.read_text(encoding="utf-8", errors="replace"), file=self._output)
            self._print(f"{lane.name}: pytest ended with {status}")
        self._start()

    def _print(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:>5.0f} s  {text}", file=self._output, flush=True)

    def _summary(self) -> None:
        print("\nSeconds in tests by folder:", file=self._output)
        for folder, seconds in by_folder(self.seconds):
            print(f"{seconds:>7.0f}  {folder}", file=self._output)
        for test, text in self.failures.items():
            print(f"\nFAILED {test}", file=self._output)
            print("\n".join(text.splitlines()[-MAX_FAILURE_LINES:]), file=self._output)
        took = time.monotonic() - self._began
        lost = f", lanes that failed: {', '.join(self.broken)}" if self.broken else ""
        print(f"processors busy: {busy(self._times):.0%}", file=self._output)
        total = f"{in_words(self.outcomes)} in {took:.1f} s{lost}"
        print(f"\n{total}", file=self._output, flush=True)


def busy(before: Any) -> float:
    """The part of this machine's processor time since *before* that was used."""
    spent = [b - a for a, b in zip(before, psutil.cpu_times(), strict=True)]
    names = before._fields
    idle = sum(spent[names.index(name)] for name in ("idle", "iowait") if name in names)
    counted = sum(spent[names.index(name)] for name in names if not name.startswith("guest"))
    return 1 - idle / counted if counted else 0.0


def in_words(outcomes: Mapping[str, int]) -> str:
    """Such as `12 passed, 0 failed, 1 skipped`."""
    return ", ".join(f"{outcomes.get(kind, 0)} {kind}" for kind in ("passed", "failed", "skipped"))


def by_folder(seconds: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Seconds by folder, the most first; `tests/faults` by file, for these differ."""
    sums: defaultdict[str, float] = defaultdict(float)
    for file, spent in seconds.items():
        folder = str(Path(file).parent)
        sums[file if folder in (".", "tests/faults") else folder] += spent
    yield from sorted(sums.items(), key=lambda pair: -pair[1])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the suite with pytest's own options, such as `-k name`; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also if the parent process ignores them
        signal.signal(number, _interrupt)
    with tempfile.TemporaryDirectory(prefix="sa-tests-") as logs:
        try:
            packages.install_for_tests(sys.stdout)
            return Run(sys.argv[1:], Path(logs), sys.stdout).run()
        except KeyboardInterrupt:
            print("interrupted; the tests that ran were stopped and cleaned up", file=sys.stderr)
            return 130


if __name__ == "__main__":
    raise SystemExit(main())
