"""Start and stop the Ray head that `up` leaves running; no other Ray is touched."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from share_actors.actors.runtime import OUTAGE, PARENT, system_state
from share_actors.actors.runtime.head.store import RedisStore
from share_actors.actors.runtime.stop_times import RAY_STOP_TIMEOUT_S
from share_actors.actors.runtime.system_state import SystemState, ray_environment
from share_actors.cli import interrupts
from share_actors.cli.ray_roles import RayRole, alone
from share_actors.cli.ray_session import (
    kill,
    kill_session,
    session_processes,
    signal_all,
    still_running,
    title,
    wait_for_end,
)
from share_actors.errors import LogError, Unavailable
from share_actors.file_lock import FileLock

OF_PROGRAMS = {"RAY_ADDRESS", *OUTAGE, *PARENT}
"""Variables of `share-actors env` that are for programs, not for Ray itself."""
NO_DRAIN = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
"""Has a Ray end at once at SIGTERM: it would first wait for work on it to end, which `down` has done."""
NEW_HEAD = {"RAY_raylet_liveness_self_check_interval_ms": "5000"}
"""How soon a raylet ends whose head was replaced by one that does not know it; else after up to 60 s."""
START_TIMEOUT_S = 120.0
TIMED_OUT = "timed out during startup"
"""What Ray says if one of its processes has not started within 30 s."""
LOCK_TIMEOUT_S = 300.0
"""Longer than any `up` or `down` takes, however slow the machine is."""
MAX_DIRECTORY_LENGTH = 30
"""Ray's Unix sockets add 70 characters to the path of its directory; Linux allows 107 in all."""
PORTS = range(20_000, 30_000)
KEEPER = "share_actors.actors.runtime.head.keeper"
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
class Tables(NamedTuple):
    """A head's tables in Redis, and its *port* and secret *token*: a head that continues it has the same."""

    store: RedisStore
    port: int
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a head; its processes wait for a GCS that is away."""
        return {**self.store.environment, **OUTAGE}


def tables_in(store: RedisStore, former: SystemState | None = None) -> Tables:
    """The tables of a new head in *store*, or of one that continues the head of *former* there."""
    if former is not None and former.store == str(store) and former.address and former.token:
        with suppress(OSError):
            token = Path(former.token).read_text(encoding="ascii")
            return Tables(store, int(former.address.rpartition(":")[2]), token)
    return Tables(store, free_port(), secrets.token_hex(32))


def start_ray(
    home: Path, namespace: str, role: RayRole | None = None, tables: Tables | None = None
) -> SystemState:
    """Start a Ray in its own session, and record it at once, so that it can be ended.

    The tables of a head are in Redis if *tables* are given. A start that Ray gives up after 30 s, on a busy
    machine, is tried once more. Raises `Unavailable`; what was started is not ended then.
    """
    role = role or alone()
    try:
        return _start_once(home, namespace, role, tables)
    except Unavailable as error:
        failed = system_state.read(home)
        if TIMED_OUT not in error.message or failed is None:
            raise
        stop_ray(failed)
        return _start_once(home, namespace, role, tables)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, outside the ranges that Ray and Linux take ports from."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise Unavailable(f"every port from {PORTS[0]} to {PORTS[-1]} of 127.0.0.1 is in use")


def _start_once(home: Path, namespace: str, role: RayRole, tables: Tables | None) -> SystemState:
    log = home / "ray.log"
    with interrupts.deferred():
        directory = create_short_directory()
        token = role.token
        if token is None and not role.joined:
            token = create_token(directory, None if tables is None else tables.token)
        environment = dict(ray_environment(token, loopback=role.loopback))
        environment |= {n: v for n, v in role.variables.items() if n not in os.environ}
        if tables is not None:
            environment |= tables.environment
        command = _ray_command(directory, role.options, tables)
        head = _start_process(command, environment, log)
        state = SystemState(
            namespace=namespace,
            pid=head.pid,
            created=psutil.Process(head.pid).create_time(),
            directory=directory,
            token=token,
            joined=role.joined,
            store=None if tables is None else str(tables.store),
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
            env={**NEW_HEAD, **own, **ray, **NO_DRAIN},
        )


def create_short_directory() -> str:
    """Create a directory closed to other users, with a path short enough for Ray's sockets."""
    parent = tempfile.gettempdir()
    fits = len(parent) + len("/sa-12345678") <= MAX_DIRECTORY_LENGTH
    return tempfile.mkdtemp(prefix="sa-", dir=parent if fits else "/tmp")


def create_token(directory: str, secret: str | None = None) -> str:
    """Create a file with the *secret*, or a new one, that only its owner can read; returns its path."""
    token = Path(directory) / "token"
    token.touch(mode=0o600)
    token.write_text(secret or secrets.token_hex(32), encoding="ascii")
    return str(token)


def _ray_command(
    directory: str, role_options: Iterable[str], tables: Tables | None = None
) -> list[str]:
    """Start Ray; a head with *tables* is started by our program, on their port unless the role has one."""
    program = "ray.scripts.scripts" if tables is None else "share_actors.actors.runtime.head"
    any_port = "--port=0"
    given = [
        f"--port={tables.port}" if tables is not None and option == any_port else option
        for option in role_options
    ]
    options = [
        *given,
        "--include-log-monitor=false",
        "--disable-usage-stats",
        f"--temp-dir={directory}/r",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    ]
    return [sys.executable, "-m", program, "start", "--block", *options]


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
    """The id and creation time of each process of `PARTS`; they run once the address is known.

    A GCS that is started again when it ends is no such part, but its keeper is.
    """
    for process in session_processes(pid, created):
        with suppress(psutil.NoSuchProcess):
            parent = process.parent()
            kept = parent is not None and _is_keeper(parent)
            if _is_keeper(process) or (process.name() in PARTS and not kept):
                yield process.pid, process.create_time()


def _is_keeper(process: psutil.Process) -> bool:
    return KEEPER in process.cmdline()


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
    signal_all(head or session, "terminate")
    _wait_for_session(session, state, timeout_s)
    killed = kill(session) + kill_session(state.pid, state.created)
    if state.directory is not None:
        shutil.rmtree(state.directory, ignore_errors=True)
    return killed


def _wait_for_session(
    session: Iterable[psutil.Process], state: SystemState, timeout_s: float
) -> None:
    """Wait for the *session*, and for what it started before it ended, which ends by itself as well."""
    deadline = time.monotonic() + timeout_s
    wait_for_end([process for process in session if process.pid == state.pid], timeout_s)
    while session and state.pid is not None and time.monotonic() < deadline:
        signal_all([process for process in session if title(process) in AGENTS], "kill")
        wait_for_end(session, deadline - time.monotonic())
        session = still_running(session_processes(state.pid, state.created))
