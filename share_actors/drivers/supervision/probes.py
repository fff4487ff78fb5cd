"""Whether a server at a TCP address answers its protocol: a daemon that hangs still accepts connections."""

from __future__ import annotations

import errno
import socket
import struct
import time
from pathlib import Path

NFS = 100003
_NULL, _REPLY, _ACCEPTED = 0, 1, 0
_LAST_FRAGMENT = 0x80000000
_CALL_ID = 0x5A17
_SMB_NEGOTIATE = bytes.fromhex(
    "fe534d4240000100000000000000010000000000000000000000000000000000"  # header: negotiate,
    "0000000000000000000000000000000000000000000000000000000000000000"  # message 0, session 0
    "2400010001000000" + "00" * 4 + "00" * 16 + "00" * 8 + "0003"  # one dialect: SMB 3.0
)
_SMB_OFFER = struct.pack(">I", len(_SMB_NEGOTIATE)) + _SMB_NEGOTIATE


def listens_at(path: Path) -> bool:
    """Whether a daemon accepts connections at the Unix socket *path*.

    The file is there a moment before that, since a daemon binds first and listens then.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def null_call(version: int) -> bytes:
    """The NULL procedure of NFS *version*, as one record of ONC RPC over TCP: 44 bytes."""
    call = struct.pack(">10I", _CALL_ID, 0, 2, NFS, version, _NULL, 0, 0, 0, 0)
    return struct.pack(">I", _LAST_FRAGMENT | len(call)) + call


def answers_nfs(host: str, port: int, *, version: int = 4, timeout_s: float = 5.0) -> bool:
    """Whether the NFS server executes the NULL procedure of *version* within *timeout_s*."""
    reply = _reply(host, port, null_call(version), 28, timeout_s)
    if len(reply) < 28:
        return False
    call_id, kind, accepted, *_, status = struct.unpack(">6I", reply[4:28])
    return (call_id, kind, accepted, status) == (_CALL_ID, _REPLY, _ACCEPTED, 0)


OFFERS = {"nfs3": null_call(3), "nfs4": null_call(4), "smb": _SMB_OFFER}
"""What a server answers at once, by the protocol: a call that does nothing, or the offer of a dialect."""


def may_listen(host: str, port: int) -> bool:
    """False if a connection to the port is refused now: no process listens. It does not wait."""
    with _connecting(host, port) as connection:
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNREFUSED


def answers(host: str, port: int, protocol: str, *, timeout_s: float = 1.0) -> bool:
    """Whether the server answers an offer by *protocol*, a key of `OFFERS`, within *timeout_s*."""
    return bool(_reply(host, port, OFFERS[protocol], 1, timeout_s))


_ADVICE = {
    errno.EADDRINUSE: ". End the program that uses it, which `ss -ltnp` shows, or set another port",
    errno.EADDRNOTAVAIL: ". Set an address that this machine has",
}


def require_free(host: str, port: int) -> None:
    """Raise `OSError` if another process listens: some daemons would share the port with it silently."""
    with socket.socket(_family(host), socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "")
            text = f"{error.strerror}: cannot listen on {host} port {port}{advice}"
            raise OSError(error.errno, text) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _connecting(host: str, port: int) -> socket.socket:
    """A socket that connects; on this machine it has done so at once, or was refused."""
    connection = socket.socket(_family(host), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.setblocking(False)
    connection.connect_ex((host, port))  # an error shows at the next call
    return connection


class OfferHeartbeat:
    """Offers by *protocol*, a key of `OFFERS`, one after the other on a connection each; nothing here waits.

    A server that has not answered once is never late: the way to it may be closed, not the server. With
    *has_answered* it has answered an offer before.
    """

    def __init__(
        self,
        host: str,
        port: int,
        protocol: str,
        *,
        pause: float,
        limit: float,
        has_answered: bool = False,
    ) -> None:
        self._place, self._offer = (host, port), OFFERS[protocol]
        self._pause, self._limit = pause, limit
        self._connection: socket.socket | None = None
        self._answered = time.monotonic() if has_answered else None
        self._began = 0.0
        self._is_sent = False

    @property
    def has_answered(self) -> bool:
        """Whether an offer was answered."""
        return self._answered is not None

    def is_late(self) -> bool:
        """Go on with the offer under way, begin one if it is due; whether one is unanswered for too long."""
        now = time.monotonic()
        if self._connection is None and now - (self._answered or 0.0) >= self._pause:
            self._begin(now)
        if self._connection is not None:
            self._go_on(now)
        waits = self._connection is not None and self._answered is not None
        return waits and now - self._began > self._limit

    def close(self) -> None:
        """End the offer under way."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self, now: float) -> None:
        self._connection = _connecting(*self._place)
        self._began, self._is_sent = now, False

    def _go_on(self, now: float) -> None:
        connection = self._connection
        assert connection is not None
        try:
            if not self._is_sent:
                connection.sendall(self._offer)
                self._is_sent = True
            if connection.recv(28):
                self._answered = now
                self.close()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOTCONN, errno.EINPROGRESS):
                self._retry()

    def _retry(self) -> None:
        """Connect again for the same offer: this connection failed."""
        began = self._began
        self.close()
        self._begin(began)


def _reply(host: str, port: int, message: bytes, size: int, timeout_s: float) -> bytes:
    """The first *size* bytes of the answer to *message*; fewer if the server closes or is late."""
    found = b""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(message)
            while len(found) < size and (part := connection.recv(size - len(found))):
                found += part
    except OSError:  # TimeoutError is one
        pass
    return found
