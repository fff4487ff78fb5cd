"""Processes of the unit, recorded by id and creation time: an id that was given again is never signalled."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from share_actors.drivers.base import DriverError

_PR_SET_PDEATHSIG = 1
_SAME_S = 0.02
"""The greatest difference of two readings of one creation time, in seconds."""
_LIBC = ctypes.CDLL(None, use_errno=True)
END_S = 15.0
"""How long a process may take to end after SIGKILL, in seconds."""


def record_self(path: Path) -> None:
    """Record this process in the file *path*, in one step."""
    created = psutil.Process().create_time()
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps({"pid": os.getpid(), "created": created}), encoding="ascii")
    new.replace(path)


def recorded(path: Path) -> psutil.Process | None:
    """The process recorded in *path* if it still runs, and is no other with the same id."""
    try:
        fields = json.loads(path.read_text(encoding="ascii"))
        process = psutil.Process(int(fields["pid"]))
        same = abs(process.create_time() - float(fields["created"])) < _SAME_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def end_recorded(path: Path, patience: float = 0.0) -> None:
    """End the process recorded in *path* and wait for its exit: SIGTERM, after *patience* seconds SIGKILL.

    Raises `DriverError` if it does not end.
    """
    if (process := recorded(path)) is not None:
        with suppress(psutil.NoSuchProcess):
            if patience:
                process.terminate()
                if _ends(path, patience):
                    process = None
            if process is not None:
                process.kill()
        if not _ends(path, END_S):
            raise DriverError(
                f"the process recorded in {path} did not end {END_S:.0f} s after SIGKILL"
            )
    path.unlink(missing_ok=True)


def _ends(path: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while recorded(path) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.003)
    return True


def spawn(
    words: Sequence[str], pid_file: Path, output: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the program *words*, which ends with this process, recorded in *pid_file* before it runs.

    Raises `DriverError` if the program is missing. The calling process must have one thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        record_self(pid_file)

    with output.open("ab") as out:
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - the supervisor has one thread
            )
        except FileNotFoundError as error:
            raise DriverError(f"the program {words[0]} is not installed: {error}") from error
