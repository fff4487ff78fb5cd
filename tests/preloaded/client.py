"""Sends a command line of Python to the server of `server.py` and exits with the program's status.

Arguments: the server's socket, then those of Python, such as `-m share_actors.cli status`. An interrupt or
SIGTERM is passed on to the program. Imports as little as possible, for it runs once per command.
"""

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress

CONNECT_TIMEOUT_S = 10.0
FORWARDED = (signal.SIGINT, signal.SIGTERM)


def run(address: str, arguments: list[str]) -> int:
    """Run Python with *arguments* in a fork of the server at *address*; the exit status, 1 if it died."""
    request = {
        "arguments": arguments,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
    }
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        _connect(server, address)
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until there is a program
        socket.send_fds(server, [b"%d\n" % len(body)], [0, 1, 2])
        server.sendall(body)
        answers = server.makefile("rb")
        pid = int(answers.readline() or b"0")
        for number in FORWARDED:
            signal.signal(number, lambda number, _: _pass_on(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        return int(answers.readline() or b"1")


def _pass_on(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has ended: its status is on the way
        os.kill(pid, number)


def _connect(server: socket.socket, address: str) -> None:
    """Connect; another process may have created the socket this instant and not listen yet."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            return server.connect(address)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
