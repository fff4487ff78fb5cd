"""Starting, ending and examining the supervisor of a unit; with the unit's change lock held."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.ganesha.bus import connect
from share_actors.drivers.ganesha.durable import remove_durably, write_durably
from share_actors.drivers.ganesha.processes import end_recorded, recorded
from share_actors.drivers.ganesha.settings import GaneshaSettings, UnitFiles
from share_actors.drivers.ganesha.status import Status, log_end, read_status, write_status
from share_actors.drivers.ganesha.supervisor import SUPERVISOR, end_parts

_STOP_S = 10.0
"""How long the supervisor may take to end its parts, in seconds."""
_LAUNCH_S = 60.0


def is_wanted(files: UnitFiles) -> bool:
    """Whether the unit was started and not stopped since."""
    return files.settings.exists()


def ensure_started(settings: GaneshaSettings) -> bool:
    """Start the unit unless it runs with these settings; whether a supervisor was started.

    Raises `DriverError`. The daemon does not yet serve when this returns.
    """
    files, text = settings.files, settings.model_dump_json()
    if is_wanted(files) and files.settings.read_text(encoding="utf-8") != text:
        stop(files)
    if not is_wanted(files):
        write_durably(files.settings, text)
    return ensure_supervised(files)


def ensure_supervised(files: UnitFiles) -> bool:
    """Start the supervisor of a wanted unit if it does not run; whether it was started."""
    if recorded(files.pids / SUPERVISOR) is not None:
        return False
    write_status(files.status, Status(state="starting"))
    _launch(files)
    return True


def stop(files: UnitFiles) -> None:
    """End the supervisor and all parts, and wait for their exit; raises `DriverError`."""
    remove_durably(files.settings)
    end_recorded(files.pids / SUPERVISOR, _STOP_S)
    end_parts(files)
    files.socket.unlink(missing_ok=True)


def is_starting(files: UnitFiles) -> bool:
    """Whether the supervisor says that it starts the parts: the bus is busy then."""
    status = read_status(files.status)
    return status is not None and status.state != "serving"


def serves(files: UnitFiles) -> bool:
    """Whether the supervisor runs and the daemon answers."""
    status = read_status(files.status)
    if status is None or status.state != "serving" or not recorded(files.pids / SUPERVISOR):
        return False
    try:
        connect(files.socket).__exit__()
    except TransientError:
        return False
    return True


def problems(files: UnitFiles) -> tuple[str, ...]:
    """What is wrong with the supervisor and its parts, one sentence each."""
    if not is_wanted(files):
        return (f"the NFS-Ganesha of {files.directory} is not started",)
    if recorded(files.pids / SUPERVISOR) is None:
        return (f"the supervisor of {files.directory} does not run: the next change starts it",)
    status = read_status(files.status)
    if status is not None and status.state != "serving" and status.reason:
        return (f"the NFS-Ganesha of {files.directory} is being started again: {status.reason}",)
    return ()


def _launch(files: UnitFiles) -> None:
    """Start the supervisor; returns when it is recorded, or ended."""
    package_root = Path(__file__).parents[3]
    words = [sys.executable, "-m", "share_actors.drivers.ganesha.supervisor", str(files.directory)]
    start = files.outputs.stat().st_size if files.outputs.exists() else 0
    with files.outputs.open("ab") as out:
        subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=package_root,
            env=dict(os.environ, PYTHONWARNINGS="ignore"),
            start_new_session=True,
            check=True,
            timeout=_LAUNCH_S,
        )
    end = time.monotonic() + _LAUNCH_S
    while recorded(files.pids / SUPERVISOR) is None:
        status = read_status(files.status)
        if (status is not None and status.failures) or time.monotonic() > end:
            raise DriverError(
                f"the supervisor of {files.directory} did not start: "
                f"{status.reason if status and status.reason else log_end(files.outputs, start)}"
            )
        time.sleep(0.003)
