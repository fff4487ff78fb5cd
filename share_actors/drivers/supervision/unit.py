"""A daemon and its supervisor, as the processes of a driver see them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.supervision import supervisor
from share_actors.values import Frozen

START_S = 20.0
"""How long a daemon may take until it accepts connections."""
STOP_S = 20.0
POLL_S = 0.01
_LINES, _TAIL = 4, 600  # of the log, and of all output in characters


class DaemonSpec(Frozen):
    """How a daemon is started."""

    name: str
    """Its name in messages."""
    command: tuple[str, ...]
    """Stays in the foreground. Its processes have `marker` among their arguments, and no others do."""
    environment: dict[str, str]
    marker: str
    listen: tuple[str, int] | None = None
    """The TCP address that it listens on; it serves when a connection is accepted there."""
    protocol: Literal["smb"] | None = None
    """What the daemon speaks at `listen`: it is restarted if it leaves an offer unanswered."""
    heartbeat_limit_s: float = 30.0
    """For how long it may do so."""
    settings: str = ""
    """What the daemon reads only when it starts: it is restarted if this has changed."""
    network_namespace: str | None = None
    """The network namespace (`ip netns`) of the daemon. Default: the caller's."""
    log: Path | None = None
    """The file that tells why it ended, for messages."""


class SupervisedUnit:
    """The supervisor of one *directory*, which exists; callers of `start` and `stop` hold a lock."""

    def __init__(self, directory: Path, spec: DaemonSpec) -> None:
        self._directory, self._spec = directory, spec

    def start(self) -> None:
        """Start supervisor and daemon unless they run as specified; returns when the daemon serves.

        A daemon without a supervisor goes on under a new one. Raises `DriverError` and
        ends what it started.
        """
        text = self._spec.model_dump_json().encode()
        path = self._directory / supervisor.SPEC
        if not path.exists() or path.read_bytes() != text:
            self.stop()
            put_file(path, text)
        is_new = not self._is_supervised()
        if is_new:
            self._launch()
        try:
            self._await_service(is_new)
        except DriverError:
            if is_new:
                self.stop()
            raise

    def stop(self) -> None:
        """End daemon and supervisor, and wait for their ends. Raises `DriverError` if they do not end."""
        if not (self._directory / supervisor.STATE).exists():
            return
        if not self._is_supervised():
            self._launch()  # it knows how to end what a killed supervisor left
        process = self._supervisor()
        if process is not None:
            supervisor.signal_all([process], signal.SIGTERM)
            if not supervisor.wait_ended([process], STOP_S):
                raise DriverError(
                    f"{self._spec.name} in {self._directory} did not end within {STOP_S:.0f} s"
                )

    def daemon(self) -> psutil.Process | None:
        """The main process of the daemon, if it runs; waits for one that is being restarted."""
        deadline = time.monotonic() + START_S
        while True:
            state = supervisor.read_state(self._directory)
            process = supervisor.find(state.get("daemon"))
            if process is not None and state.get("serving"):
                return process
            if not self._is_supervised() or time.monotonic() > deadline:
                return process
            time.sleep(POLL_S)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the processes now, one sentence each."""
        state = supervisor.read_state(self._directory)
        found: list[str] = []
        if not self._is_supervised():
            found.append(f"{self._spec.name}: its supervisor does not run; start the backend")
        if supervisor.find(state.get("daemon")) is None or not state.get("serving"):
            reason = state.get("failure") or "it was not started"
            found.append(f"{self._spec.name} does not serve: {reason}{self._tail()}")
        return tuple(found)

    # -- the supervisor ------------------------------------------------------------------------
    def _launch(self) -> None:
        """Start a supervisor in the background, with its output in a file, and wait until it is recorded."""
        namespace = self._spec.network_namespace
        enter = ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []
        program = [sys.executable, "-I", supervisor.__file__, str(self._directory)]
        self._output.unlink(missing_ok=True)
        with self._output.open("xb") as output:
            status = subprocess.run(
                [*enter, *program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                check=False,
            ).returncode
        deadline = time.monotonic() + START_S
        while status == 0 and not self._is_supervised() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not self._is_supervised():
            reason = (
                "another one holds its lock" if status == supervisor.LOCKED else f"status {status}"
            )
            raise DriverError(
                f"the supervisor of {self._spec.name} did not start: {reason}{self._tail()}"
            )

    def _await_service(self, is_new: bool) -> None:
        """Wait until the daemon serves; one that is new may not fail once."""
        deadline = time.monotonic() + START_S
        while True:
            state = supervisor.read_state(self._directory)
            if state.get("serving") and supervisor.find(state.get("daemon")) is not None:
                return
            if (is_new and state.get("failure")) or time.monotonic() > deadline:
                reason = state.get("failure") or f"it did not serve within {START_S:.0f} s"
                raise DriverError(f"{self._spec.name} does not start: {reason}{self._tail()}")
            time.sleep(POLL_S)

    def _supervisor(self) -> psutil.Process | None:
        return supervisor.find(supervisor.read_state(self._directory).get("supervisor"))

    def _is_supervised(self) -> bool:
        return self._supervisor() is not None

    # -- messages ------------------------------------------------------------------------------
    @property
    def _output(self) -> Path:
        """The output of supervisor and daemon."""
        return self._directory / "unit.log"

    def _tail(self) -> str:
        """The last lines of the log and the output, as a continuation of a message."""
        texts: list[str] = []
        for path in (self._spec.log, self._output):
            with suppress(OSError):
                if path is not None and (text := path.read_text(errors="replace").strip()):
                    texts.append(" | ".join(text.splitlines()[-_LINES:]))
        return f" (last messages: {' | '.join(texts)[-_TAIL:]})" if texts else ""
