"""A supervised unit, as the processes of a driver see it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file, sync_directory
from share_actors.drivers.filesystem.locks import held_locks
from share_actors.drivers.supervision import processes, supervisor
from share_actors.drivers.supervision.files import UnitFiles
from share_actors.drivers.supervision.life import end_parts
from share_actors.drivers.supervision.specs import UnitSpec
from share_actors.drivers.supervision.status import (
    SERVING,
    STARTING,
    Status,
    log_end,
    read_status,
    write_status,
)

_LAUNCH_S = 60.0
"""How long a supervisor may take until it is recorded."""
_STOP_S = 20.0
"""How long the supervisor may take to end its parts, in seconds."""
_POLL_S = 0.003


class SupervisedUnit:
    """The unit of *spec* in *directory*, which exists.

    Callers hold a lock for the methods that start or stop. Methods raise `DriverError`.
    """

    def __init__(self, directory: Path, spec: UnitSpec) -> None:
        self._spec = spec
        self._files = UnitFiles(directory)

    # -- starting and ending -------------------------------------------------------------------
    @property
    def is_wanted(self) -> bool:
        """Whether the unit was started and not stopped since."""
        return self._files.spec.exists()

    def start(self, answers: Callable[[], bool] = lambda: True) -> None:
        """Start the unit unless it runs as specified; returns when it serves, and *answers* as well.

        Parts that have outlived a supervisor go on under a new one; a unit that cannot start is tried again
        at once. Ends what it started if that fails.
        """
        text = self._spec.to_json().encode()
        status = self.status
        has_changed = not self.is_wanted or self._files.spec.read_bytes() != text
        if has_changed or (status is not None and status.failures):
            self.stop()
            put_file(self._files.spec, text)
        is_new = self.ensure_supervised()
        try:
            self._await_service(answers)
        except DriverError:
            if is_new:
                self.stop()
            raise

    def ensure_supervised(self) -> bool:
        """Start the supervisor of a wanted unit if it does not run; returns whether it was started."""
        if self.is_supervised:
            return False
        self._files.pids.mkdir(mode=0o700, exist_ok=True)
        write_status(self._files.status, Status(STARTING))
        self._launch()
        return True

    def stop(self) -> None:
        """End the supervisor and all parts, and wait for their exits; succeeds if nothing runs."""
        if not self._files.directory.is_dir():
            return
        self._files.spec.unlink(missing_ok=True)
        sync_directory(self._files.directory)
        try:
            processes.end(self._files.supervisor, patience_s=_STOP_S)
            end_parts(self._files, self._spec.parts)
        except OSError as error:
            raise DriverError(f"{self._spec.name} does not end: {error}") from error

    # -- what is -------------------------------------------------------------------------------
    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor runs."""
        return processes.recorded(self._files.supervisor) is not None

    @property
    def status(self) -> Status | None:
        """What the supervisor told last; None if it has told nothing."""
        return read_status(self._files.status)

    @property
    def is_starting(self) -> bool:
        """Whether the supervisor says that it starts the parts."""
        status = self.status
        return status is not None and status.state != SERVING

    @property
    def serves(self) -> bool:
        """Whether a supervisor runs and says that the unit serves, and the process that serves runs.

        A supervisor notices a moment later that a process was killed.
        """
        status = self.status
        says_so = status is not None and status.state == SERVING and self.is_supervised
        return says_so and processes.recorded(self._files.pid(self._spec.main.name)) is not None

    def process(self) -> psutil.Process | None:
        """The process that serves clients, if it runs; waits for one that is being restarted."""
        end = time.monotonic() + self._spec.start_s
        while True:
            process = processes.recorded(self._files.pid(self._spec.main.name))
            if process is not None and not self.is_starting:
                return process
            if not self.is_supervised or time.monotonic() > end:
                return process
            time.sleep(_POLL_S)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the supervisor and the parts, one sentence each."""
        if not self.is_wanted:
            return (f"{self._spec.name} is not started; start the backend",)
        found: list[str] = []
        if not self.is_supervised:
            found.append(f"{self._spec.name}: its supervisor does not run; start the backend")
        if self.is_starting or not processes.recorded(self._files.pid(self._spec.main.name)):
            found.append(f"{self._spec.name} does not serve: {self._reason}")
        return tuple(found)

    # -- the supervisor ------------------------------------------------------------------------
    def _launch(self) -> None:
        """Start a supervisor in the background; returns when it is recorded.

        If this process is killed meanwhile, its locks last until then.
        """
        package_root = Path(__file__).parents[3]
        start = self._files.outputs.stat().st_size if self._files.outputs.exists() else 0
        locks = held_locks()
        program = [sys.executable, "-m", supervisor.__name__, str(self._files.directory)]
        with self._files.outputs.open("ab") as out:
            done = subprocess.run(
                [*program, *map(str, locks)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=package_root,
                env=dict(os.environ, PYTHONWARNINGS="ignore"),
                start_new_session=True,
                pass_fds=locks,
                check=False,
            )
        end = time.monotonic() + _LAUNCH_S
        while not self.is_supervised:
            status = self.status
            failed = done.returncode or (status is not None and status.failures)
            if failed or time.monotonic() > end:
                self._refuse(done.returncode, log_end(self._files.outputs, start))
            time.sleep(_POLL_S)

    def _refuse(self, code: int, output: str) -> None:
        status = self.status
        if not code and status is not None and status.failures:  # it has ended already
            raise DriverError(f"{self._spec.name} cannot start: {status.reason}")
        reason = (status.reason if status else "") or output or f"status {code}"
        if code == supervisor.LOCKED:
            reason = f"another one holds the lock {self._files.lock}"
        raise DriverError(f"the supervisor of {self._spec.name} did not start: {reason}")

    def _await_service(self, answers: Callable[[], bool]) -> None:
        end = time.monotonic() + self._spec.start_s
        while not (self.serves and answers()):
            was_supervised = self.is_supervised
            status = self.status
            if status is not None and status.failures:
                raise DriverError(f"{self._spec.name} cannot start: {status.reason}")
            if time.monotonic() > end:
                raise DriverError(
                    f"{self._spec.name} did not start within {self._spec.start_s:.0f} s"
                )
            if not was_supervised:  # it may be killed at any time
                self.ensure_supervised()
            time.sleep(_POLL_S)

    @property
    def _reason(self) -> str:
        status = self.status
        return (status.reason if status else "") or "it is being started"
