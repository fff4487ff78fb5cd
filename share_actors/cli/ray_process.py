"""Start and stop the Ray head that `up` leaves running; no other Ray is touched."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil

from share_actors.actors.runtime import PARENT, system_state
from share_actors.actors.runtime.stop_times import KILL_TIMEOUT_S, RAY_STOP_TIMEOUT_S
from share_actors.actors.runtime.system_state import OUTAGE, SystemState, ray_environment
from share_actors.cli import interrupts
from share_actors.cli.ray_roles import RayRole, alone
from share_actors.errors import LogError, Unavailable
from share_actors.file_lock import FileLock

OF_PROGRAMS = {"RAY_ADDRESS", *OUTAGE, *PARENT}
"""Variables of `share-actors env` that are for programs, not for Ray itself."""
NO_DRAIN = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
"""Has a Ray end at once at SIGTERM: it would first wait for work on it to end, which `down` has done."""
START_TIMEOUT_S = 120.0
TIMED_OUT = "timed out during startup"
"""What Ray says if one of its processes has not started within 30 s."""
LOCK_TIMEOUT_S = 300.0
"""Longer than any `up` or `down` takes, however slow the machine is."""
MAX_DIRECTORY_LENGTH = 30
"""Ray's Unix sockets add 70 characters to the path of its directory; Linux allows 107 in all."""
KILL_ROUNDS = 3
PARTS = ("gcs_server", "raylet")
"""The processes of a Ray head without which it cannot go on."""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""If their raylet did not end in order, they tell a GCS that has ended too, which takes minutes to fail."""
OBJECT_STORE_BYTES = 150 * 1024 * 1024


@contextmanager
def locked(home: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock that admits one `up` or `down` at a time; *home* is created if missing.

    Raises `Unavailable`, which names the process that holds the lock, if it is not free within *timeout_s*.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = FileLock(home / "up.lock")
    except OSError as error:
        raise LogError(
            f"home {home} can't be used: {error.strerror}", field="home", value=str(home)
        ) from None
    with closing(file):
        if not file.acquire(timeout_s):
            raise Unavailable(
                f"{file.holder} has been holding {file.path} for more than {timeout_s:g} s, so another"
                " `up` or `down` is running; nothing was changed",
                field="home",
                value=str(home),
                next_step=f"Wait until it ends, or stop {file.holder}; then repeat the command.",
            )
        yield


# -- start ---------------------------------------------------------------------------------------
def start_ray(home: Path, namespace: str, role: RayRole | None = None) -> SystemState:
    """Start a Ray in its own session, and record it at once, so that it can be ended.

    A start that Ray gives up after 30 s, on a busy machine, is tried once more. Raises `Unavailable`; what
    was started is not ended then.
    """
    role = role or alone()
    try:
        return _start_once(home, namespace, role)
    except Unavailable as error:
        failed = system_state.read(home)
        if TIMED_OUT not in error.message or failed is None:
            raise
        stop_ray(failed)
        return _start_once(home, namespace, role)


def _start_once(home: Path, namespace: str, role: RayRole) -> SystemState:
    log = home / "ray.log"
    with interrupts.deferred():
        directory = create_short_directory()
        token = role.token if role.token or role.joined else create_token(directory)
        environment = ray_environment(token, loopback=role.loopback)
        head = _start_process(_ray_command(directory, role.options), environment, log)
        state = SystemState(
            namespace=namespace,
            pid=head.pid,
            created=psutil.Process(head.pid).create_time(),
            directory=directory,
            token=token,
            joined=role.joined,
        )
        system_state.write(home, state)
    address = _wait_for_address(head, directory, log)
    state = state.replace(address=address, parts=tuple(_parts(head.pid, state.created)))
    system_state.write(home, state)
    return state


def _start_process(
    command: Sequence[str], ray: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    own = {name: value for name, value in os.environ.items() if name not in OF_PROGRAMS}
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**own, **ray, **NO_DRAIN},
        )


def create_short_directory() -> str:
    """Create a directory closed to other users, with a path short enough for Ray's sockets."""
    parent = tempfile.gettempdir()
    fits = len(parent) + len("/sa-12345678") <= MAX_DIRECTORY_LENGTH
    return tempfile.mkdtemp(prefix="sa-", dir=parent if fits else "/tmp")


def create_token(directory: str) -> str:
    """Create a file with a new secret that only its owner can read; returns its path."""
    token = Path(directory) / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    return str(token)


def _ray_command(directory: str, role_options: Iterable[str]) -> list[str]:
    options = [
        *role_options,
        "--include-log-monitor=false",
        "--disable-usage-stats",
        f"--temp-dir={directory}/r",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    ]
    return [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]


def _wait_for_address(head: subprocess.Popen[bytes], directory: str, log: Path) -> str:
    """The address that Ray writes to a file once it serves; raises `Unavailable`."""
    file = Path(directory) / "r" / "ray_current_cluster"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if head.poll() is not None:
            raise Unavailable(f"Ray ended at start: {_last_line(log)}; its output is in {log}")
        if file.exists() and (address := file.read_text(encoding="utf-8").strip()):
            return address
        time.sleep(0.05)
    raise Unavailable(f"Ray did not start within {START_TIMEOUT_S:g} s; its output is in {log}")


def _parts(pid: int, created: float) -> Iterator[tuple[int, float]]:
    """The id and creation time of each process of `PARTS`; they run once the address is known."""
    for process in session_processes(pid, created):
        with suppress(psutil.NoSuchProcess):
            if process.name() in PARTS:
                yield process.pid, process.create_time()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


# -- stop ----------------------------------------------------------------------------------------
def stop_ray(state: SystemState, timeout_s: float | None = None) -> list[str]:
    """Stop the processes of the Ray that *state* describes; returns the names of those that had to be killed.

    They may take *timeout_s* to end. What is left of a Ray that died cannot end in order, and is killed.
    """
    if state.pid is None:
        return []
    if timeout_s is None:
        timeout_s = RAY_STOP_TIMEOUT_S if state.alive else 0.0
    session = session_processes(state.pid, state.created)
    head = [process for process in session if process.pid == state.pid]
    _signal(head or session, "terminate")
    _wait_for_session(session, state, timeout_s)
    killed = _kill(session) + kill_session(state.pid, state.created)
    if state.directory is not None:
        shutil.rmtree(state.directory, ignore_errors=True)
    return killed


def _wait_for_session(
    session: Iterable[psutil.Process], state: SystemState, timeout_s: float
) -> None:
    """Wait for the *session*, and for what it started before it ended, which ends by itself as well."""
    deadline = time.monotonic() + timeout_s
    _wait_for_end([process for process in session if process.pid == state.pid], timeout_s)
    while session and state.pid is not None and time.monotonic() < deadline:
        _signal([process for process in session if _title(process) in AGENTS], "kill")
        _wait_for_end(session, deadline - time.monotonic())
        session = _running(session_processes(state.pid, state.created))


def kill_session(pid: int, created: float) -> list[str]:
    """Kill all of `session_processes`, in rounds that catch newly forked ones; returns their names."""
    return [name for _ in range(KILL_ROUNDS) for name in _kill(session_processes(pid, created))]


def _kill(processes: Iterable[psutil.Process]) -> list[str]:
    """Kill those of *processes* that still run; returns their names."""
    running = _running(processes)
    names = [_name(process) for process in running]
    _signal(running, "kill")
    _wait_for_end(running, KILL_TIMEOUT_S)
    return names


def _name(process: psutil.Process) -> str:
    """Such as `raylet (4711)`; a worker of Ray is named by its actor."""
    name = _title(process)
    with suppress(psutil.Error):
        name = name if name.startswith("ray::") else process.name()
    return f"{name} ({process.pid})"


def _title(process: psutil.Process) -> str:
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


def _wait_for_end(processes: Iterable[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while _running(processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
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


def _signal(processes: list[psutil.Process], method: Literal["terminate", "kill"]) -> None:
    for process in processes:
        try:
            getattr(process, method)()
        except psutil.NoSuchProcess:
            continue
