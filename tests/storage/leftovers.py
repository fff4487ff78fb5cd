"""Names for what a test run makes on this machine, and the removal of what a killed run has left.

Each name has the process of its run: a run that is under way keeps all that it made.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PREFIX = "sa-test-"
NAMESPACES = Path("/run/netns")
WAIT_S = 20.0


def own_prefix() -> str:
    """The beginning of all names of this run: the prefix, its process id and when that started."""
    return f"{PREFIX}{os.getpid()}-{_started(os.getpid())}-"


def new_directory() -> Path:
    """A directory of this run that every user can pass through."""
    directory = Path(tempfile.mkdtemp(prefix=own_prefix()))
    directory.chmod(0o711)
    return directory


def remove_leftovers() -> None:
    """Remove the processes, namespaces, mounts, loop devices and directories of runs that have ended."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_abandoned(directory.name):
            remove_directory(directory)
    for namespace in _namespaces():
        if _is_abandoned(namespace):
            remove_namespace(namespace)


def remove_namespace(name: str) -> None:
    """End the processes in the network namespace *name*, and remove it with its interfaces."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False)
    end(int(pid) for pid in listed.stdout.split())
    subprocess.run(["ip", "netns", "delete", name], check=True)


def remove_directory(directory: Path) -> None:
    """End the processes that were started with *directory*, unmount all below, and remove it."""
    end(_started_with(directory))
    for target in reversed(_mounts_below(directory)):
        subprocess.run(["umount", "--lazy", target], check=True)
    for loop in Path("/sys/block").glob("loop*/loop/backing_file"):
        if loop.read_text().startswith(f"{directory}/"):
            subprocess.run(["losetup", "--detach", f"/dev/{loop.parts[3]}"], check=True)
    _clear_immutable(directory)
    shutil.rmtree(directory)


def end(processes: Iterable[int]) -> None:
    """Kill *processes* and wait until they have ended."""
    for pid in list(processes):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + WAIT_S
        while runs(pid):
            assert time.monotonic() < deadline, f"process {pid} does not end"
            time.sleep(0.005)


def runs(pid: int) -> bool:
    """Whether the process exists and is more than an entry that its parent has not read."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_abandoned(name: str) -> bool:
    """Whether *name* is of a run whose process has ended."""
    pid, started, *_ = name.removeprefix(PREFIX).split("-")
    try:
        return _started(int(pid)) != started
    except (FileNotFoundError, ProcessLookupError):
        return True


def _started(pid: int) -> str:
    """When the process started, in clock ticks since the machine did."""
    return _stat(pid)[19]


def _stat(pid: int) -> list[str]:
    """The fields of the process in /proc from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _started_with(directory: Path) -> list[int]:
    """The processes with *directory* in a word of their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(f"{directory}/") in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def _mounts_below(directory: Path) -> list[str]:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    targets = [line.split()[1] for line in mounts]
    return [target for target in targets if target.startswith(f"{directory}/")]


def _clear_immutable(directory: Path) -> None:
    subprocess.run(["chattr", "-R", "-f", "-i", str(directory)], check=False, capture_output=True)


def _namespaces() -> list[str]:
    with suppress(FileNotFoundError):
        return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(PREFIX))
    return []
