"""One life of a unit: its parts started in order, and watched until the first of them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.ganesha.bus import Heartbeat, connect
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.processes import end_recorded, spawn
from share_actors.drivers.ganesha.rendering import bus_config, main_config
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.ganesha.status import log_end, shorten_log
from share_actors.drivers.supervision.probes import NfsHeartbeat, may_listen

RPCBIND_SOCKET = Path("/run/rpcbind.sock")
"""Where Ganesha expects rpcbind; the unit has a `/run` of its own."""
_STOPS = (signal.SIGTERM, signal.SIGINT)
_PART_S, _GANESHA_S = 10.0, 120.0
"""How long a part may take to start, in seconds."""
_POLL_S = 0.005
_TICK_S = 1.0
_FILES_A_TICK = 100
"""The export files that are read between two looks at the parts: 60 ms of work."""
_BEAT_S = 5.0


class StopAsked(Exception):
    """The supervisor was asked to stop."""


class Life:
    """One life of the unit with *exports*; *serving* is called when the daemon answers."""

    def __init__(
        self, settings: GaneshaSettings, exports: ExportFiles, serving: Callable[[], None]
    ) -> None:
        self._settings, self._files, self._serving = settings, settings.files, serving
        self._exports = exports
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self._log_start = self._output_start = 0
        self.served = False

    def run(self) -> None:
        """Start the parts and watch them.

        Raises `StopAsked` after SIGTERM, `DriverError` or `OSError` once a part cannot start or has ended.
        """
        self._start_bus()
        if 3 in self._settings.versions:
            self._start_rpcbind()
        self._start_ganesha()
        self.served = True
        self._serving()
        self._watch()

    def end(self) -> None:
        """End all parts, Ganesha first, and wait for their exit."""
        for name, process in reversed(self._parts.items()):
            if name == "ganesha" and self.served:
                process.terminate()  # it closes what the clients have open
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5 if self._parts["bus"].poll() is None else 0)
            process.kill()
            process.wait()
            end_recorded(self._files.pids / name)
        self._parts.clear()

    def _start_bus(self) -> None:
        files = self._files
        self._output_start = shorten_log(files.outputs)
        files.socket.unlink(missing_ok=True)
        files.bus_config.write_text(bus_config(self._settings), encoding="utf-8")
        self._spawn(
            "bus",
            "dbus-daemon",
            f"--config-file={files.bus_config}",
            "--nofork",
            "--nopidfile",
            "--nosyslog",
        )
        self._until(files.socket.exists, "bus", _PART_S)

    def _start_rpcbind(self) -> None:
        RPCBIND_SOCKET.unlink(missing_ok=True)
        self._spawn("rpcbind", "rpcbind", "-f")
        self._until(RPCBIND_SOCKET.exists, "rpcbind", _PART_S)

    def _start_ganesha(self) -> None:
        files = self._files
        self._log_start = shorten_log(files.log)
        files.ganesha_pid.unlink(missing_ok=True)
        files.config.write_text(main_config(self._settings), encoding="utf-8")
        files.all_exports.write_text(self._exports.restored(), encoding="utf-8")
        self._spawn(
            "ganesha",
            *("ganesha.nfsd", "-F", "-N", "NIV_EVENT"),
            *("-f", str(files.config), "-L", str(files.log), "-p", str(files.ganesha_pid)),
        )
        self._until(self._answers, "ganesha", _GANESHA_S)

    def _answers(self) -> bool:
        # To ask the bus again and again takes the time from it that the daemon needs to start.
        if not may_listen(self._settings.address, self._settings.nfs_port):
            return False
        try:
            with connect(self._files.socket) as daemon:
                return daemon.shown(0) is not None
        except TransientError:
            return False

    def _watch(self) -> None:
        settings, limit = self._settings, self._settings.heartbeat_limit
        pause = min(_BEAT_S, limit)
        version = max(settings.versions)
        with (
            closing(Heartbeat(self._files.socket, pause=pause, limit=limit)) as control,
            closing(
                NfsHeartbeat(settings.address, settings.nfs_port, version, pause=pause, limit=limit)
            ) as clients,
        ):
            while True:
                self._wait(min(_TICK_S, limit / 4))
                self._exports.read_ahead(_FILES_A_TICK)
                if control.is_late():
                    raise DriverError(f"NFS-Ganesha left a call unanswered for {limit:g} s")
                if clients.is_late():
                    raise DriverError(f"NFS-Ganesha answered no client for {limit:g} s")

    def _until(self, condition: Callable[[], bool], part: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise DriverError(f"{part} did not start within {seconds:.0f} s: {self._told()}")
            self._wait(_POLL_S)

    def _wait(self, seconds: float) -> None:
        """Wait for a signal, at most for *seconds*; raises once it shall stop or a part has ended."""
        got = signal.sigtimedwait((signal.SIGCHLD, *_STOPS), seconds)
        if got is not None and got.si_signo in _STOPS:
            raise StopAsked
        for name, process in self._parts.items():
            if (code := process.poll()) is not None:
                raise DriverError(f"{name} ended with status {code}: {self._told()}")

    def _told(self) -> str:
        """The ends of the logs of this life."""
        parts = (
            log_end(self._files.outputs, self._output_start),
            log_end(self._files.log, self._log_start),
        )
        return "\n".join(filter(None, parts)) or "its log is empty"

    def _spawn(self, name: str, *words: str) -> None:
        environment = {
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self._files.socket}",
        }
        self._parts[name] = spawn(words, self._files.pids / name, self._files.outputs, environment)
