"""Processes of a unit, recorded by id and creation time: an id that was given again is never signalled."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000
_SAME_S = 0.02
"""The greatest difference of two readings of one creation time, in seconds."""
_LIBC = ctypes.CDLL(None, use_errno=True)
END_S = 15.0
"""How long a process may take to end after SIGKILL, in seconds."""
_POLL_S = 0.003


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
        return process if same and is_alive(process) else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def is_alive(process: psutil.Process) -> bool:
    """Whether *process* runs, and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(path: Path, marker: str | None = None, patience_s: float = 0.0) -> None:
    """End the process recorded in *path* and all with the argument *marker*, and wait for their exits.

    They get SIGTERM, and after *patience_s* SIGKILL. Raises `OSError` if one does not end.
    """
    found = _found(path, marker)
    if patience_s and found:
        _signal_all(found, signal.SIGTERM)
        _wait_ended(found, patience_s)
    while left := _found(path, marker):
        _signal_all(left, signal.SIGKILL)
        if not _wait_ended(left, END_S):
            raise OSError(f"{left[0]} did not end {END_S:.0f} s after SIGKILL")
    path.unlink(missing_ok=True)


def _found(path: Path, marker: str | None) -> list[psutil.Process]:
    process = recorded(path)
    found = [] if process is None else [process]
    return found if marker is None else [*found, *_with_argument(marker)]


def _with_argument(marker: str) -> Iterator[psutil.Process]:
    """The processes that have *marker* among their arguments."""
    for process in psutil.process_iter():
        try:
            if marker in process.cmdline() and is_alive(process):
                yield process
        except psutil.Error:  # it ended, or is not ours
            continue


def _signal_all(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def _wait_ended(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Wait until none of *processes* runs; returns whether that was so in time."""
    deadline = time.monotonic() + seconds
    while any(is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def spawn(
    words: Sequence[str],
    pid_file: Path,
    output: Path,
    environment: Mapping[str, str],
    *,
    ends_with_parent: bool,
) -> subprocess.Popen[bytes]:
    """Start the program *words*, recorded in *pid_file* before it runs.

    Raises `OSError` if the program is missing. The calling process must have one thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        if ends_with_parent:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
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
            raise OSError(f"the program {words[0]} is not installed: {error}") from error


def enter_network(name: str) -> None:
    """Move this process into the network namespace `/run/netns/NAME`; raises `OSError`."""
    path = Path("/run/netns") / name
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(f"network_namespace {name!r}: {path}: {error.strerror}") from error
    try:
        if _LIBC.setns(fd, _CLONE_NEWNET):
            raise OSError(f"cannot enter {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fd)
