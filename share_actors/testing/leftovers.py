"""Names for what a test run makes on this machine, and the removal of what a killed run has left.

Each name has the process of its run: a run that is under way keeps all that it made.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from share_actors.drivers.namespaces import Ip, ServerNetwork
from share_actors.drivers.namespaces.network import remove_interface

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


@contextmanager
def own_directory() -> Iterator[Path]:
    """A directory whose processes, mounts and loop devices are removed with it.

    What a killed run left of its own ones is removed first.
    """
    _remove_leftovers_once()
    directory = new_directory()
    try:
        yield directory
    finally:
        remove_directory(directory)


@cache
def _remove_leftovers_once() -> None:
    remove_leftovers()


def remove_leftovers() -> None:
    """Remove the processes, namespaces, mounts, loop devices and directories of runs that have ended."""
    top = Path(tempfile.gettempdir())
    with (top / "share-actors-leftovers.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run may have started at the same time
        for directory in top.glob(f"{PREFIX}*"):
            if is_abandoned(directory.name):
                remove_directory(directory)
        for namespace in _namespaces():
            if is_abandoned(namespace):
                remove_namespace(namespace)


def remove_namespace(name: str) -> None:
    """End the processes in the network namespace *name*, and remove it with its interfaces."""
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False)
    end(int(pid) for pid in listed.stdout.split())
    subprocess.run(["ip", "netns", "delete", name], check=True)


def remove_directory(directory: Path) -> None:
    """End the processes that were started with *directory*, unmount all below, and remove it."""
    release_directory(directory)
    shutil.rmtree(directory)


def release_directory(directory: Path) -> None:
    """End the processes that were started with *directory*, unmount all below, and detach loop devices.

    The networks of share servers below are removed as well.
    """
    end(started_with(directory))
    for record in directory.glob("*/servers/*/network.json"):
        network, ip = ServerNetwork.model_validate_json(record.read_bytes()), Ip()
        network.remove(ip)
        remove_interface(ip, network.bridge)  # also if clients are still on it
    for target in reversed(_mounts_below(directory)):
        subprocess.run(["umount", "--lazy", target], check=True)
    for device in _loops_on(directory):
        subprocess.run(["losetup", "--detach", device], check=False, capture_output=True)
    _wait_until(lambda: not _loops_on(directory), f"loop devices are used: {_loops_on(directory)}")
    _clear_immutable(directory)


def end(processes: Iterable[int]) -> None:
    """Kill *processes* and wait until they have ended."""
    killed = list(processes)
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: not any(map(runs, killed)), f"processes {killed} do not end")


def runs(pid: int) -> bool:
    """Whether the process exists and is more than an entry that its parent has not read."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_abandoned(name: str) -> bool:
    """Whether *name* is of a run whose process has ended."""
    pid, started, *_ = name.removeprefix(PREFIX).split("-")
    try:
        return _started(int(pid)) != started or _stat(int(pid))[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _started(pid: int) -> str:
    """When the process started, in clock ticks since the machine did."""
    return _stat(pid)[19]


def _stat(pid: int) -> list[str]:
    """The fields of the process in /proc from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def started_with(directory: Path) -> list[int]:
    """The processes with *directory* in a word of their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(f"{directory}/") in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def _loops_on(directory: Path) -> list[str]:
    """The loop devices whose files are below *directory*; one may vanish at any time.

    Without those that the kernel detaches at their last unmount: mount namespaces that were made meanwhile,
    as a server of NFSv3 has one, keep copies of all mounts until they end.
    """
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            is_ours = file.read_text(encoding="utf-8").startswith(f"{directory}/")
            if is_ours and file.with_name("autoclear").read_text(encoding="ascii").strip() != "1":
                found.append(f"/dev/{file.parts[3]}")
    return found


def _wait_until(condition: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.005)


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
