"""The program that keeps one daemon running: `python -I supervisor.py DIRECTORY`.

It reads DIRECTORY/unit.json (see `unit.DaemonSpec`) and writes DIRECTORY/state.json. It imports nothing of
this package, so that it is small and starts quickly. One runs for each directory: it holds a lock of
DIRECTORY/supervisor.lock, and a second one ends at once. SIGTERM ends the daemon, then the supervisor.
A daemon that runs already, because the supervisor before was killed, is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

LOCK, SPEC, STATE = "supervisor.lock", "unit.json", "state.json"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 10.0
"""The pause before a restart doubles from the first to the longest while the daemon does not stay."""
STAYED_S = 30.0
"""After a daemon that ran so long the pauses begin with the first again."""
LOCK_S = 10.0
"""How long an earlier supervisor of the directory has to end."""
LOCKED = 3
"""The exit status if it does not."""
END_S = 5.0
"""How long a daemon has to end after SIGTERM, before it is killed."""
POLL_S = 0.02
BEAT_S = 5.0
"""The pause between two questions whether the daemon answers."""
PROBES = {"smb": runpy.run_path(str(Path(__file__).with_name("probes.py")))["answers_smb"]}
"""Whether a daemon answers, by the protocol; the file is run because the package is not imported."""


class Stopped(BaseException):
    """SIGTERM was received."""


class Supervisor:
    """The loop around one daemon."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._spec: dict[str, Any] = json.loads((directory / SPEC).read_text(encoding="utf-8"))
        self._state: dict[str, Any] = {
            **read_state(directory),
            "supervisor": identity(psutil.Process()),
            "restarts": 0,
            "serving": False,
            "failure": None,
        }

    def run(self) -> None:
        """Keep the daemon running until SIGTERM."""
        try:
            self._write()
            daemon = self._running_daemon()
            pause_s = FIRST_PAUSE_S / 2
            while True:
                began = time.monotonic()
                self._attend(daemon)
                stayed = time.monotonic() - began >= STAYED_S
                pause_s = FIRST_PAUSE_S if stayed else min(2 * pause_s, LONGEST_PAUSE_S)
                time.sleep(pause_s)
                self._state["restarts"] += 1
                daemon = None
        except Stopped:
            self._end_all()
            (self._directory / f"{STATE}.new").unlink(missing_ok=True)
            (self._directory / STATE).unlink(missing_ok=True)

    def _attend(self, daemon: psutil.Process | None) -> None:
        """Start the daemon, unless it is *daemon*, and return after its end. Nothing of it is left."""
        try:
            if daemon is None:
                self._end_all()
                daemon = self._spawn()
            self._write(daemon=identity(daemon), command=self._spec["command"], serving=False)
            if self._await_service(daemon):
                self._write(serving=True, failure=None)
            reason = self._watch(daemon)
            self._write(daemon=None, serving=False, failure=reason)
        except (OSError, psutil.Error) as error:
            self._write(daemon=None, serving=False, failure=str(error))

    def _spawn(self) -> psutil.Process:
        if self._address is not None:
            self._require_free(*self._address)
        return psutil.Popen(
            self._spec["command"],
            env=self._spec["environment"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _require_free(self, host: str, port: int) -> None:
        """Raise `OSError` if another process listens: smbd would share the port with it silently."""
        try:
            with tcp_socket(host) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror}: cannot listen on {host} port {port}"
            ) from None

    def _await_service(self, daemon: psutil.Process) -> bool:
        """Wait until the daemon accepts connections; returns False if it ends before."""
        while is_alive(daemon):
            if self._address is None or accepts(*self._address):
                return True
            time.sleep(POLL_S)
        return False

    def _watch(self, daemon: psutil.Process) -> str:
        """Wait until the daemon ends or hangs; returns why it serves no more, with nothing of it left."""
        limit_s = float(self._spec.get("heartbeat_limit_s", 0.0))
        answers = PROBES.get(str(self._spec.get("protocol")))
        while answers is not None and self._address is not None:
            if has_ended(daemon, min(BEAT_S, limit_s)):
                break
            deadline = time.monotonic() + limit_s
            while not answers(*self._address, timeout_s=limit_s) and not has_ended(daemon, POLL_S):
                if time.monotonic() > deadline:
                    self._end_all(signal.SIGKILL)
                    return f"it left an offer unanswered for {limit_s:g} s"
        return f"it ended with status {daemon.wait()}"

    @property
    def _address(self) -> tuple[str, int] | None:
        listen = self._spec.get("listen")
        return (listen[0], listen[1]) if listen else None

    def _running_daemon(self) -> psutil.Process | None:
        """The daemon that a killed supervisor left, if it was started in the same way."""
        same = self._state.get("command") == self._spec["command"]
        return find(self._state.get("daemon")) if same else None

    def _end_all(self, first: int = signal.SIGTERM) -> None:
        """End every process of the daemon by the signal *first*, else SIGKILL, and wait for their ends."""
        processes = list(self._processes())
        signal_all(processes, first)
        wait_ended(processes, END_S)
        processes += self._processes()
        signal_all(processes, signal.SIGKILL)
        wait_ended(processes, END_S)

    def _processes(self) -> Iterator[psutil.Process]:
        """All processes of the daemon, which have the marker among their arguments."""
        for process in psutil.process_iter():
            try:
                if self._spec["marker"] in process.cmdline():
                    yield process
            except psutil.Error:  # it ended, or is not ours
                continue

    def _write(self, **changes: Any) -> None:
        self._state.update(changes)
        new = self._directory / f"{STATE}.new"
        new.write_text(json.dumps(self._state), encoding="utf-8")
        new.rename(self._directory / STATE)


def has_ended(process: psutil.Process, within_s: float) -> bool:
    """Whether *process* ends within so many seconds; unlike `psutil.wait` it does not poll."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], within_s)[0])
    finally:
        os.close(fd)


def tcp_socket(host: str) -> socket.socket:
    """A TCP socket of the family of the address *host*."""
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)


def accepts(host: str, port: int) -> bool:
    """Whether a connection to the address is accepted now."""
    with tcp_socket(host) as probe:
        return probe.connect_ex((host, port)) == 0


def read_state(directory: Path) -> dict[str, Any]:
    """What the supervisor wrote last; empty if it wrote nothing that can be read."""
    try:
        state = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def identity(process: psutil.Process) -> dict[str, float]:
    """What tells *process* from later ones with the same id."""
    return {"pid": process.pid, "created": process.create_time()}


def find(recorded: Any) -> psutil.Process | None:
    """The process with a recorded `identity`, if it runs."""
    try:
        process = psutil.Process(int(recorded["pid"]))
        same = abs(process.create_time() - float(recorded["created"])) < 0.05
        return process if same and is_alive(process) else None
    except (psutil.Error, TypeError, KeyError, ValueError):
        return None


def signal_all(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to each process that still runs."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def wait_ended(processes: list[psutil.Process], timeout_s: float) -> bool:
    """Wait until none of *processes* runs; a zombie has ended. Returns whether that was so in time."""
    deadline = time.monotonic() + timeout_s
    while any(is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def is_alive(process: psutil.Process) -> bool:
    """Whether *process* runs, and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def lock(path: Path) -> bool:
    """Lock the file *path* until this process ends; returns whether that was possible within `LOCK_S`."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        else:
            return True


def stop(*_: object) -> None:
    """The handler of SIGTERM; a second one changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    """Go on in the background as the supervisor of the directory that is the only argument."""
    directory = Path(sys.argv[1])
    if not lock(directory / LOCK):
        return LOCKED
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, stop)
        Supervisor(directory).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
