"""The commands that tests start, as programs that are forked from a process which has imported Ray."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CLIENT, SERVER, RAY_WORKER = (HERE / f"{name}.py" for name in ("client", "server", "ray_worker"))
RAY_PROGRAMS = (
    r"^(-u )?[^ ]*/ray/(_private/workers/default_worker"
    r"|dashboard/agent|_private/runtime_env/agent/main)\.py "
)
"""The Python programs of a Ray node, its workers and two agents, as a regular expression of the shell."""
HEAD_PROGRAMS = r"^(-u )?[^ ]*/ray/(dashboard/dashboard|autoscaler/_private/monitor)\.py "
"""Those of a head."""
LOG_MONITOR = r"^(-u )?[^ ]*/ray/_private/log_monitor\.py "
"""The one that sends to drivers what workers print; no driver of the tests asks for it."""
MODULES = (
    "share_actors.cli",
    "share_actors.client.sync.opening",
    "ray.dashboard.dashboard",
    "ray.autoscaler._private.monitor",
)
"""What the commands and the programs of a head import."""


@cache
def _directory() -> Path:
    """A directory for the programs of this process, which is deleted when it ends."""
    directory = tempfile.mkdtemp(prefix="sa-programs-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


@cache
def python() -> str:
    """A Python like this one, except that the programs of a Ray that it starts are forks.

    It is a virtual environment with the packages of this one; without one, it is this Python itself.
    """
    settings = Path(sys.prefix) / "pyvenv.cfg"
    program = _environment(settings) if settings.exists() else sys.executable
    server = _serve(program)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    return program


def _environment(settings: Path) -> str:
    """Create the virtual environment of `python`; the path of its Python."""
    environment = _directory() / "environment"
    environment.mkdir()
    shutil.copy(settings, environment)
    (environment / "lib").symlink_to(Path(sys.prefix) / "lib")
    script = f"""#!/bin/bash
node={shlex.quote(RAY_PROGRAMS)}
head={shlex.quote(HEAD_PROGRAMS)}
log_monitor={shlex.quote(LOG_MONITOR)}
[[ "$* " =~ $node ]] && exec {shlex.join(_plain(RAY_WORKER))} "$0" "$@"
[[ "$* " =~ $head ]] && {{ [[ $1 == -u ]] && shift; exec {shlex.join(_client())} "$@"; }}
[[ "$* " =~ $log_monitor ]] && exec sleep infinity
exec -a "$0" {shlex.quote(sys.executable)} "$@"
"""
    return _program(environment / "bin" / "python", script)


@cache
def forked() -> list[str]:
    """The start of a command that runs Python in a fork of a process which has imported the client."""
    python()
    return _client()


def _client() -> list[str]:
    return [*_plain(CLIENT), _address()]


def _address() -> str:
    return f"{_directory()}/socket"


@cache
def share_actors() -> str:
    """`share-actors`, without the second that its imports take."""
    run = shlex.join([*forked(), "-m", "share_actors.cli"])
    return _program(_directory() / "bin" / "share-actors", f'#!/bin/sh\nexec {run} "$@"\n')


def _serve(program: str) -> subprocess.Popen[bytes]:
    """Start a server, which requests reach at once and which answers when it is ready."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(_address())
        listener.listen(64)
        arguments = [str(SERVER), str(listener.fileno()), str(os.getpid()), *MODULES]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_", "RAY_"))}
        return subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # an interrupt from the keyboard is for the tests
        )


def _plain(script: Path) -> list[str]:
    """The start of a command that runs *script* without the time that site-packages take."""
    return [sys.executable, "-IS", str(script)]


def _program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)
