"""Runs `share-actors` in forks of one process that has imported it, which saves a second per command.

`program()` is the path of a command that takes the place of `share-actors`: it runs `cli_client.py`, which
sends its command line to the server. Each command runs in a process of its own, with the client's arguments,
environment, working directory, standard streams and exit status.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).with_name("cli_client.py")
MAX_REQUEST_BYTES = 1 << 20


@cache
def program() -> str:
    """The command of the one server of this process, started by the first call."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(started())


@contextmanager
def started() -> Iterator[str]:
    """The path of a command that does what `share-actors` does; its server ends afterwards."""
    with tempfile.TemporaryDirectory(prefix="sa-cli-") as directory:
        program = Path(directory) / "share-actors"
        path = f"{directory}/socket"
        run = shlex.join([sys.executable, "-IS", str(CLIENT), path])
        program.write_text(f'#!/bin/sh\nexec {run} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_", "RAY_"))}
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # an interrupt from the keyboard is for the tests
        )
        with server:
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield str(program)
            server.stdin.close()


def main(path: str) -> None:
    """Serve commands until standard input ends."""
    import share_actors.client  # noqa: F401
    from share_actors.actors.runtime import lifecycle  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        _watch_input()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _supervise(connection)
            connection.close()


def _watch_input() -> None:
    """End this process when its standard input ends: a child waits, so that no thread is forked."""
    server = os.getpid()
    if os.fork() == 0:
        sys.stdin.buffer.read()
        os.kill(server, signal.SIGTERM)
        os._exit(0)


def _supervise(connection: socket.socket) -> None:
    """Run the command in a child and send the exit status; only the child returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 3)
    size, _, body = data.partition(b"\n")
    while len(body) < int(size):
        body += connection.recv(MAX_REQUEST_BYTES)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(json.loads(body), streams)
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def _run(request: dict[str, Any], streams: list[int]) -> None:
    """Become the command: ends the process, as the interpreter does."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[1:1] = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    sys.path[0] = str(Path(sys.executable).parent)
    sys.argv = ["share-actors", *request["arguments"]]
    from share_actors.cli import main

    main()
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
