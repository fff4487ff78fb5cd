"""The processes of the session that a process of Ray began; how they are found and ended."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal

import psutil

from share_actors.actors.runtime.stop_times import KILL_TIMEOUT_S

KILL_ROUNDS = 3


def kill_session(pid: int, created: float) -> list[str]:
    """Kill all of `session_processes`, in rounds that catch newly forked ones; returns their names."""
    return [name for _ in range(KILL_ROUNDS) for name in kill(session_processes(pid, created))]


def kill(processes: Iterable[psutil.Process]) -> list[str]:
    """Kill those of *processes* that still run; returns their names."""
    killed = still_running(processes)
    names = [name_of(process) for process in killed]
    signal_all(killed, "kill")
    wait_for_end(killed, KILL_TIMEOUT_S)
    return names


def name_of(process: psutil.Process) -> str:
    """Such as `raylet (4711)`; a worker of Ray is named by its actor."""
    name = title(process)
    with suppress(psutil.Error):
        name = name if name.startswith("ray::") else process.name()
    return f"{name} ({process.pid})"


def title(process: psutil.Process) -> str:
    """The first word of the command line, in which a process of Ray says what it is."""
    with suppress(psutil.Error):
        return next(iter(process.cmdline()), "")
    return ""


def session_processes(pid: int, created: float) -> list[psutil.Process]:
    """The process, its descendants and all of its session, also after the process itself has ended.

    *created* is its creation time: if another process has the id by now, the list is empty.
    """
    if _reused(pid, created):
        return []
    # psutil's `children` would read the whole process table again for each process of the session
    processes = list(psutil.process_iter(["ppid"]))
    children: dict[int, list[int]] = defaultdict(list)
    for process in processes:
        children[process.info["ppid"]].append(process.pid)
    found = {process.pid for process in processes if _session_id(process.pid) == pid}
    unseen = list(found)
    while unseen:
        further = set(children[unseen.pop()]) - found
        found |= further
        unseen += further
    return [p for p in processes if p.pid in found and _created_since(p, created)]


def has_ended(process: psutil.Process) -> bool:
    """Whether *process* has ended; a zombie, whose parent has not collected it yet, has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_end(processes: Iterable[psutil.Process], timeout_s: float) -> None:
    """Return once all of *processes* have ended, or after *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    while still_running(processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those of *processes* that have not ended."""
    return [process for process in processes if not has_ended(process)]


def _reused(pid: int, created: float) -> bool:
    """Whether a later process has this id now."""
    return psutil.pid_exists(pid) and not _created_since(psutil.Process(pid), created, within_s=1.0)


def _created_since(process: psutil.Process, created: float, within_s: float = 1e9) -> bool:
    try:
        return -1.0 < process.create_time() - created < within_s
    except psutil.NoSuchProcess:
        return False


def _session_id(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def signal_all(processes: list[psutil.Process], method: Literal["terminate", "kill"]) -> None:
    """Send SIGTERM or SIGKILL to those of *processes* that run."""
    for process in processes:
        try:
            getattr(process, method)()
        except psutil.NoSuchProcess:
            continue
