"""The processes of one command: until they end they keep the locks that their caller holds.

A `flock` lasts until the last process that has the locked file open has ended. The command itself does not
get the file: it may leave a daemon behind, and `sudo` closes what it inherits. `timeout` gets it, which waits
for the command, and limits the time of one whose caller was killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress

import psutil

from share_actors.drivers.filesystem.locks import held_locks

GRACE_S = 5.0
"""How much longer than its caller `timeout` waits before it kills a command."""
_POLL_S = 0.02


def run_process(
    words: Sequence[str],
    timeout_s: float | None,
    stdin: str | None,
    env: Mapping[str, str] | None,
    *,
    is_killable: bool = True,
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; on a timeout the command and all its child processes are killed.

    Not *is_killable*: the command may have another user, and is waited for. Raises `TimeoutExpired` and the
    `OSError` of a program that cannot be run.
    """
    locks = held_locks()
    limit_s = timeout_s + GRACE_S if timeout_s is not None and is_killable else 0.0
    kept = _keeping(words, locks, limit_s, env)
    with subprocess.Popen(
        kept or list(words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        shell=False,
        env=None if env is None else dict(env),
        start_new_session=True,
        pass_fds=locks,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process.pid, spared=process.pid if kept else None)
            raise
        return process.returncode, out, err


def _keeping(
    words: Sequence[str], locks: Sequence[int], limit_s: float, env: Mapping[str, str] | None
) -> list[str]:
    """The command *words* as one that `timeout` runs with the open files *locks*, without them itself.

    Empty if there are no locks, or a program for that is missing.
    """
    timeout, shell = shutil.which("timeout"), shutil.which("bash")
    program = shutil.which(words[0], path=os.pathsep.join(os.get_exec_path(env)))
    if not locks or not program or not timeout or not shell:
        return []
    closing = " ".join(f"{fd}>&-" for fd in locks)
    run = [shell, "-p", "-c", f'exec -a "$0" "$@" {closing}', words[0], program, *words[1:]]
    return [timeout, "--signal=KILL", f"{limit_s:.3f}", *run]


def _kill(session: int, spared: int | None) -> None:
    """Kill the processes of *session*, and wait until all have ended: those of another user go on.

    Those that they started belong to them, also in sessions of their own: `sudo` runs a command in one if it
    gives it a terminal (`use_pty`). *spared*: the process of `timeout`, which keeps the locks until the
    command has ended, and then ends.
    """
    found: set[psutil.Process] = set()
    while found := _members(session, found):
        for process in found:
            if process.pid != spared:
                with suppress(psutil.Error):  # it has ended, or is of another user
                    process.kill()
        time.sleep(_POLL_S)


def _members(session: int, known: Set[psutil.Process]) -> set[psutil.Process]:
    """The processes of *session*, those that are *known*, and all that they started; only those that run."""
    running = [each for each in psutil.process_iter(["ppid", "status"]) if _runs(each)]
    members = {each for each in running if each in known or _session(each.pid) == session}
    pids = {each.pid for each in members}
    while started := [
        each for each in running if each.info["ppid"] in pids and each.pid not in pids
    ]:
        members.update(started)
        pids.update(each.pid for each in started)
    return members


def _runs(process: psutil.Process) -> bool:
    return process.info["status"] not in (psutil.STATUS_ZOMBIE, None)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
