"""Starting and ending the Ray head of our own that `up` leaves running. Touches no other Ray."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState, ray_environment
from share_actors.errors import LogError, Unavailable

START_TIMEOUT_S = 120.0
GRACE_S = 15.0
LONGEST = 30
"""Ray's Unix sockets live 70 characters deeper than its directory, and may have 107 in all."""
ROUNDS = 3
OBJECT_STORE_BYTES = 150 * 1024 * 1024


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Only one `up` or `down` at a time in *home*, which is made if it is missing."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "up.lock").open("w")
    except OSError as error:
        raise LogError(
            f"home {home} can't be used: {error.strerror}", field="home", value=str(home)
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# -- start ---------------------------------------------------------------------------------------
def start_ray(home: Path, namespace: str) -> SystemState:
    """Start a Ray head in a session of its own, recorded from its first moment; raises `Unavailable`."""
    directory = short_directory()
    token = make_token(directory)
    log = home / "ray.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            _command(directory), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, **ray_environment(token)},
        )  # fmt: skip
    state = SystemState(
        namespace=namespace, pid=head.pid, created=psutil.Process(head.pid).create_time(),
        directory=directory, token=token,
    )  # fmt: skip
    system_state.write(home, state)
    try:
        state = state.replace(address=_await_address(head, directory, log))
    except BaseException:
        stop_ray(state)
        system_state.forget(home)
        raise
    system_state.write(home, state)
    return state


def short_directory() -> str:
    """A new directory, closed to other users, whose path is short enough for Ray's sockets."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="sa-", dir=usual if len(usual) <= LONGEST - 12 else "/tmp")


def make_token(directory: str) -> str:
    """A file with a new secret, that only its owner can read."""
    token = Path(directory) / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    return str(token)


def _command(directory: str) -> list[str]:
    return [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--node-ip-address=127.0.0.1", "--port=0", "--include-dashboard=false",
        "--include-log-monitor=false", "--disable-usage-stats", f"--temp-dir={directory}/r",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    ]  # fmt: skip


def _await_address(head: subprocess.Popen[bytes], directory: str, log: Path) -> str:
    """Ray writes its address to a file once it serves."""
    found = Path(directory) / "r" / "ray_current_cluster"
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        if head.poll() is not None:
            raise Unavailable(f"Ray ended at once: {_last_line(log)}; all it said is in {log}")
        if found.exists() and (address := found.read_text(encoding="utf-8").strip()):
            return address
        time.sleep(0.05)
    raise Unavailable(f"Ray did not start within {START_TIMEOUT_S:g} s; what it said is in {log}")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


# -- end -----------------------------------------------------------------------------------------
def stop_ray(state: SystemState, grace_s: float = GRACE_S) -> int:
    """End the processes of the Ray that *state* tells of, and no others; how many had to be killed."""
    if state.pid is None:
        return 0
    ours = processes(state.pid, state.created)
    head = [process for process in ours if process.pid == state.pid]
    _signal(head or ours, "terminate")
    _await_end(ours, grace_s)
    killed = kill(ours) + kill_session(state.pid, state.created)
    if state.directory is not None:
        shutil.rmtree(state.directory, ignore_errors=True)
    return killed


def kill_session(pid: int, created: float) -> int:
    """`kill -9` for all that `processes` finds, and for those that were just being forked; how many."""
    return sum(kill(processes(pid, created)) for _ in range(ROUNDS))


def kill(those: Iterable[psutil.Process]) -> int:
    """`kill -9` for those that still run; how many."""
    left = _living(those)
    _signal(left, "kill")
    _await_end(left, GRACE_S)
    return len(left)


def processes(pid: int, created: float) -> list[psutil.Process]:
    """The head, all that descend from it, and all of its session (also when the head is gone)."""
    if _reused(pid, created):
        return []
    found = {p for p in psutil.process_iter() if _session(p.pid) == pid}
    for process in list(found):
        try:
            found.update(process.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return [process for process in found if _since(process, created)]


def _await_end(those: Iterable[psutil.Process], grace_s: float) -> None:
    until = time.monotonic() + grace_s
    while _living(those) and time.monotonic() < until:
        time.sleep(0.05)


def _living(those: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in those if not over(process)]


def over(process: psutil.Process) -> bool:
    """Whether it has ended, though its parent may not have asked yet how."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _reused(pid: int, created: float) -> bool:
    """Whether another process has this id by now."""
    return psutil.pid_exists(pid) and not _since(psutil.Process(pid), created, slack=1.0)


def _since(process: psutil.Process, created: float, slack: float = 1e9) -> bool:
    try:
        return -1.0 < process.create_time() - created < slack
    except psutil.NoSuchProcess:
        return False


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _signal(those: list[psutil.Process], how: str) -> None:
    for process in those:
        try:
            getattr(process, how)()
        except psutil.NoSuchProcess:
            continue
