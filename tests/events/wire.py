"""A connection to a server that can be cut after any number of bytes, as the cable of a machine can."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

_PIECE = 65536


class Wire:
    """Listens on `port` of this machine, and passes what is sent there on to the socket file *path*.

    Once cut, it passes nothing on in either direction, and both ends stay open: neither end is told.
    """

    def __init__(self, path: str) -> None:
        self._path, self._lock = path, Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        """How many bytes clients have sent that were passed on."""
        self._left: int | None = None
        self._cut = Event()
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.drop()

    def cut_after(self, size: int) -> None:
        """Cut all connections once clients have sent so many further bytes."""
        with self._lock:
            self._left = size

    def is_cut(self) -> bool:
        """Whether the bytes before the cut were sent."""
        return self._cut.is_set()

    def drop(self) -> None:
        """End all connections, as both ends notice; new ones are not cut."""
        with self._lock:
            self._left = None
            ends, self._ends = self._ends, []
        self._cut.clear()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                with self._lock:
                    self._ends += [client, server]
                Thread(target=self._up, args=(client, server), daemon=True).start()
                Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_PIECE):
                server.sendall(self._before_cut(data))
                if self._left == 0:
                    self._cut.set()
                    return
            server.close()

    def _before_cut(self, data: bytes) -> bytes:
        with self._lock:
            if self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            self.sent += len(data)
        return data

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_PIECE):
                if self._left != 0:
                    client.sendall(data)
            client.close()
