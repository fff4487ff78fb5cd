"""Runs Python programs in forks of a process that has imported some modules already.

Arguments: the number of a file descriptor that listens, the id of the process after which the server ends,
and the modules to import. Each program runs in a process of its own with the arguments, environment,
directory and standard streams of its client (`client.py`), gets its signals, and is killed if it ends first.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

MAX_REQUEST_BYTES = 1 << 20


class Server:
    """Forks programs until the process *owner* ends; then waits for those that still run."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        self._listener, self._owner = listener, os.pidfd_open(owner)
        self._events = selectors.DefaultSelector()
        self._events.register(listener, selectors.EVENT_READ)
        self._events.register(self._owner, selectors.EVENT_READ)

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Fork for each request: returns the request and its streams in the fork, None at the end."""
        while self._events.get_map():
            for key, _ in self._events.select():
                if self._events.get_map().get(key.fd) is not key:
                    continue  # it ended together with one before it
                if key.fd == self._owner:
                    self._accept_no_more()
                elif key.fileobj is not self._listener:
                    key.data()
                elif (request := self._accept()) is not None:
                    return request
        return None

    def _accept(self) -> tuple[dict[str, Any], list[int]] | None:
        """Read one request and fork; returns the request in the fork only."""
        connection, _ = self._listener.accept()
        data, streams, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 3)
        size, _, body = data.partition(b"\n")
        while len(body) < int(size or 0) and (more := connection.recv(MAX_REQUEST_BYTES)):
            body += more
        if not body:
            connection.close()
            return None
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            connection.close()
            self._close()
            return json.loads(body), streams
        for stream in streams:
            os.close(stream)
        with suppress(OSError):  # the client has ended
            connection.sendall(b"%d\n" % pid)
        self._watch(pid, connection)
        return None

    def _accept_no_more(self) -> None:
        """The owner has ended: the programs that run, and those that their clients end, are still seen to."""
        for watched in (self._owner, self._listener):
            self._events.unregister(watched)
        os.close(self._owner)
        self._listener.close()

    def _close(self) -> None:
        """Close all that the server has open, in a fork."""
        for key in [*self._events.get_map().values()]:
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self._events.close()

    def _watch(self, pid: int, connection: socket.socket) -> None:
        """Send the status of process *pid* to its client; kill it if the client ends first."""
        process = os.pidfd_open(pid)

        def client_ended() -> None:
            self._events.unregister(connection)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        def program_ended() -> None:
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            with suppress(OSError):  # the client has ended
                connection.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
            for watched in (connection, process):
                with suppress(KeyError):
                    self._events.unregister(watched)
            connection.close()
            os.close(process)

        self._events.register(connection, selectors.EVENT_READ, client_ended)
        self._events.register(process, selectors.EVENT_READ, program_ended)


def run(request: dict[str, Any], streams: list[int]) -> None:
    """Become the program of *request*, as `python ARGUMENTS` does."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[1:1] = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    first, *rest = request["arguments"]
    if first == "-m":
        sys.path[0], sys.argv = os.getcwd(), rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.path[0], sys.argv = "", ["-c", *rest[1:]]
        sys.modules["__main__"] = main_module = ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(main_module))
    else:
        sys.path[0], sys.argv = os.path.dirname(first), [first, *rest]
        runpy.run_path(first, run_name="__main__")


def main(descriptor: int, owner: int, modules: list[str]) -> None:
    """Serve; in each fork, run its program."""
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    listener = socket.socket(fileno=descriptor)
    request = Server(listener, owner).serve()
    if request is not None:
        run(*request)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
