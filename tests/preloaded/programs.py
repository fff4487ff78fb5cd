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
CLI_MODULES = ("share_actors.client", "share_actors.actors.runtime.lifecycle")


@cache
def _directory() -> Path:
    """A directory for the programs of this process, which is deleted when it ends."""
    directory = tempfile.mkdtemp(prefix="sa-programs-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


@cache
def python() -> str:
    """A Python like this one, except that the workers of a Ray that it starts are forks (`ray_worker`).

    It is a virtual environment with the packages of this one; without one, it is this Python itself.
    """
    settings = Path(sys.prefix) / "pyvenv.cfg"
    if not settings.exists():
        return sys.executable
    environment = _directory() / "environment"
    environment.mkdir()
    shutil.copy(settings, environment)
    (environment / "lib").symlink_to(Path(sys.prefix) / "lib")
    forked = shlex.join(_plain(RAY_WORKER))
    script = f"""#!/bin/bash
programs={shlex.quote(RAY_PROGRAMS)}
[[ "$* " =~ $programs ]] && exec {forked} "$0" "$@"
exec -a "$0" {shlex.quote(sys.executable)} "$@"
"""
    return _program(environment / "bin" / "python", script)


@cache
def forked() -> list[str]:
    """The start of a command that runs Python in a fork of a process which has imported the client."""
    address = f"{_directory()}/socket"
    server = _serve(address)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    return [*_plain(CLIENT), address]


@cache
def share_actors() -> str:
    """`share-actors`, without the second that its imports take."""
    run = shlex.join([*forked(), "-m", "share_actors.cli"])
    return _program(_directory() / "bin" / "share-actors", f'#!/bin/sh\nexec {run} "$@"\n')


def _serve(address: str) -> subprocess.Popen[bytes]:
    """Start a server at *address*, which requests reach at once and which answers when it is ready."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        arguments = [str(SERVER), str(listener.fileno()), str(os.getpid()), *CLI_MODULES]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_", "RAY_"))}
        return subprocess.Popen(
            [python(), *arguments],
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
