"""The process that starts the parts of one unit and starts them again: `python -m ...supervisor DIRECTORY`.

It outlives the control plane. The parts are the bus, rpcbind (for NFSv3) and Ganesha; when one of them
ends, or Ganesha no longer answers, all are started anew. SIGTERM ends them all.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import time
from pathlib import Path

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.locks import open_locked
from share_actors.drivers.ganesha import namespaces
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.life import Life, StopAsked
from share_actors.drivers.ganesha.processes import end_recorded, record_self
from share_actors.drivers.ganesha.settings import GaneshaSettings, UnitFiles
from share_actors.drivers.ganesha.status import Status, write_status

logger = logging.getLogger(__name__)
PARTS = ("ganesha", "rpcbind", "bus")
"""The parts of a unit in the order in which they are ended; each has a file in `pids`."""
SUPERVISOR = "supervisor"
HEALTHY_S = 10.0
"""A unit that served this long, in seconds, is started again without a pause."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_IF_SERVED_S, _LONGEST_PAUSE_S = 0.1, 0.4, 5.0
SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def end_parts(files: UnitFiles) -> None:
    """End the parts of the unit that run, and wait for their exit; raises `DriverError`."""
    for part in PARTS:
        end_recorded(files.pids / part)


def pause_after(short_lives: int, *, served: bool) -> float:
    """The pause before the next start, in seconds, after so many short lives in succession.

    *served*: whether the last life served; then a start is likely to help, and the pause stays short.
    """
    if short_lives < 2:
        return 0.0
    longest = _LONGEST_PAUSE_IF_SERVED_S if served else _LONGEST_PAUSE_S
    return float(min(_FIRST_PAUSE_S * 2 ** (min(short_lives, 20) - 2), longest))


class Supervisor:
    """Starts the unit of *settings* again and again until it is asked to stop."""

    def __init__(self, settings: GaneshaSettings) -> None:
        self._settings, self._files = settings, settings.files
        self._exports = ExportFiles(settings.files)
        self._short_lives = self._failures = self._restarts = 0
        self._reason = ""

    def run(self) -> None:
        """Run the unit until SIGTERM; the signals of `SIGNALS` must be blocked."""
        while True:
            began = time.monotonic()
            life = Life(self._settings, self._exports, self._serving)
            try:
                self._tell("starting")
                life.run()
            except StopAsked:
                return
            except (DriverError, OSError, EOFError) as error:
                self._ended(str(error), life.served, time.monotonic() - began)
            finally:
                life.end()
            if _stopped_within(pause_after(self._short_lives, served=life.served)):
                return

    def _serving(self) -> None:
        self._failures = 0
        self._tell("serving")

    def _ended(self, reason: str, served: bool, seconds: float) -> None:
        self._reason = reason
        self._restarts += 1
        self._failures = 0 if served else self._failures + 1
        self._short_lives = 1 if served and seconds > HEALTHY_S else self._short_lives + 1
        self._tell("pausing")
        logger.warning("the unit %s ended: %s", self._files.directory, reason)

    def _tell(self, state: str) -> None:
        status = Status.model_validate(
            {
                "state": state,
                "failures": self._failures,
                "restarts": self._restarts,
                "reason": self._reason,
            }
        )
        write_status(self._files.status, status)


def _stopped_within(seconds: float) -> bool:
    """Wait for *seconds*; whether the supervisor was asked to stop meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        got = signal.sigtimedwait(SIGNALS, left)
        if got is not None and got.si_signo != signal.SIGCHLD:
            return True
    return False


def supervise(directory: Path) -> None:
    """Supervise the unit in *directory* unless another process does; returns after SIGTERM."""
    files = UnitFiles(directory)
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        open_locked(folder, files.supervisor_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.warning("another process supervises %s", directory)
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    record_self(files.pids / SUPERVISOR)
    settings = GaneshaSettings.model_validate_json(files.settings.read_bytes())
    end_parts(files)
    try:
        _enter_namespaces(settings)
        Supervisor(settings).run()
    except Exception as error:
        logger.exception("the supervisor ends")
        write_status(files.status, Status(state="pausing", failures=1, reason=str(error)))
    finally:
        end_parts(files)


def _enter_namespaces(settings: GaneshaSettings) -> None:
    if settings.network_namespace is not None:
        namespaces.enter_network(settings.network_namespace)
    if settings.own_mounts or 3 in settings.versions:
        if settings.mount_root is not None:
            namespaces.share_mounts_of(settings.mount_root)
        namespaces.enter_own_mounts(settings.directory)
        if settings.mount_root is not None:
            exports = ExportFiles(settings.files)
            needed = [Path(found.path) for found in exports.records()]
            namespaces.leave_mounts((settings.directory, settings.mount_root, *needed))


def main() -> None:
    """Leave the parent, so that it need not wait for this process, and supervise the named directory."""
    logging.basicConfig(format="%(asctime)s supervisor: %(message)s")
    if os.fork():
        os._exit(0)
    os.chdir("/")
    supervise(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
