"""Calls to one NFS-Ganesha over its private bus."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from jeepney import (
    DBusAddress,
    DBusErrorResponse,
    HeaderFields,
    Message,
    MessageType,
    new_method_call,
)
from jeepney.auth import AuthenticationError
from jeepney.io.blocking import DBusConnection, prep_socket

from share_actors.drivers.base import DriverError, TransientError

NAME = "org.ganesha.nfsd"
PATH = "/org/ganesha/nfsd/ExportMgr"
INTERFACE = "org.ganesha.nfsd.exportmgr"
_BUS = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
CALL_S = 30.0
"""The longest wait for one answer, in seconds."""
_GONE = ("ServiceUnknown", "NoReply", "NameHasNoOwner", "Disconnected", "UnknownObject")
_WRITE_ACCESS = 0x40
"""The bit of a client's options in Ganesha 4 that says that it may write."""
_CLIENTS = "/org/ganesha/nfsd/ClientMgr"
_COUNTED = ("NFSv3", "NFSv40", "NFSv41", "NFSv42")
"""The protocols of which the daemon counts what each client reads and writes."""
Clients = tuple[tuple[str, str], ...]
"""Network and level ("rw" or "ro"), in the order in which the daemon compares them."""


class Refused(DriverError):
    """The daemon refused the call and changed nothing."""


class ClientIO(NamedTuple):
    """What one client has read and written by one protocol since the daemon started."""

    bytes_read: int = 0
    bytes_written: int = 0
    operations: int = 0


class Daemon:
    """One process of Ganesha on the bus: calls to it never reach a later one."""

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection
        self._owner = self._name_owner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return int(self._ask(_BUS, "GetConnectionUnixProcessID", "s", self._owner)[0])

    def still_runs(self) -> bool:
        """Whether the process and its bus have run without interruption until now."""
        try:
            return self._name_owner() == self._owner
        except TransientError:
            return False

    def shown(self, number: int) -> tuple[str, str, Clients] | None:
        """The path, the pseudo path and the clients of the export *number*; None if it is not served."""
        try:
            _, path, pseudo, _, clients = self._call("DisplayExport", "q", number)
        except Refused:
            return None
        return path, pseudo, tuple((fields[0], _level(fields[8])) for fields in clients)

    def served(self) -> dict[int, str]:
        """All exports, id to pseudo path. Slow with many."""
        return {entry[0]: entry[1] for entry in self._call("ShowExports")[1] if entry[0]}

    def known_clients(self) -> list[tuple[str, tuple[str, ...], float]]:
        """Each client since the start: its address, its protocols, and when it was active (Unix time)."""
        shown = self._client_call("clientmgr", "ShowClients")[1]
        return [
            (address, tuple(n for n, used in uses if used and n in _COUNTED), s + ns / 1e9)
            for address, uses, (s, ns) in shown
        ]

    def client_io(self, address: str, protocol: str) -> ClientIO:
        """What the client has read and written by *protocol*; nothing if the daemon has not counted it."""
        done, _, *counted = self._client_call("clientstats", f"Get{protocol}IO", "s", address)
        if not done:
            return ClientIO()
        _, read, write = counted
        return ClientIO(int(read[1]), int(write[1]), int(read[2] + write[2]))

    def _client_call(
        self, interface: str, member: str, signature: str | None = None, *body: Any
    ) -> tuple[Any, ...]:
        address = DBusAddress(_CLIENTS, self._owner, f"org.ganesha.nfsd.{interface}")
        return self._ask(address, member, signature, *body)

    def add(self, file: Path, number: int) -> None:
        """Add the export *number* of *file*; raises `Refused`."""
        self._call("AddExport", "ss", str(file), f"EXPORT(Export_Id={number})")

    def update(self, file: Path, number: int) -> None:
        """Replace the rules of the export *number* by those of *file*; raises `Refused`."""
        self._call("UpdateExport", "ss", str(file), f"EXPORT(Export_Id={number})")

    def remove(self, number: int) -> None:
        """Take the export *number* away; open files lose access. Raises `Refused` for none."""
        self._call("RemoveExport", "q", number)

    def _call(self, member: str, signature: str | None = None, *body: Any) -> tuple[Any, ...]:
        address = DBusAddress(PATH, self._owner, INTERFACE)
        return self._ask(address, member, signature, *body)

    def _name_owner(self) -> str:
        return str(self._ask(_BUS, "GetNameOwner", "s", NAME)[0])

    def _ask(
        self, address: DBusAddress, member: str, signature: str | None = None, *body: Any
    ) -> tuple[Any, ...]:
        return _reply(self._connection, address, member, signature, *body)


def connect(socket: Path) -> Daemon:
    """The daemon on the bus at *socket*; raises `TransientError` if there is none. To be closed."""
    connection = _opened(socket)
    try:
        return Daemon(connection)
    except BaseException:
        connection.close()
        raise


def _opened(socket: Path) -> DBusConnection:
    """A connection to the bus at *socket*; raises `TransientError`."""
    try:
        plain = prep_socket(str(socket), timeout=CALL_S)
        try:
            return DBusConnection(plain)
        except BaseException:
            plain.close()
            raise
    except (OSError, EOFError, AuthenticationError, DBusErrorResponse) as error:
        raise TransientError(f"no bus answers at {socket}: {error!r}") from error


def _reply(
    connection: DBusConnection,
    address: DBusAddress,
    member: str,
    signature: str | None = None,
    *body: Any,
) -> tuple[Any, ...]:
    """The body of the answer; raises `Refused`, or `TransientError` if none comes."""
    message = new_method_call(address, member, signature, body)
    try:
        reply = connection.send_and_get_reply(message, timeout=CALL_S)
    except (OSError, EOFError) as error:  # TimeoutError is an OSError
        raise TransientError(f"NFS-Ganesha did not answer {member}: {error!r}") from error
    return _body(reply, member)


class Heartbeat:
    """Calls that the daemon must answer, on a connection of their own; nothing here waits."""

    def __init__(self, socket: Path, *, pause: float, limit: float) -> None:
        self._connection = _opened(socket)
        self._pause, self._limit = pause, limit
        self._sent = self._answered = time.monotonic()
        self._serial: int | None = None

    def is_late(self) -> bool:
        """Read the answers, make the next call if it is due; whether one is unanswered for too long.

        Raises `OSError` or `EOFError` if the bus has ended.
        """
        now = time.monotonic()
        self._read(now)
        if self._serial is None and now - self._answered >= self._pause:
            self._send(now)
        return self._serial is not None and now - self._sent > self._limit

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self, now: float) -> None:
        call = new_method_call(DBusAddress(PATH, NAME, INTERFACE), "DisplayExport", "q", (0,))
        self._serial = next(self._connection.outgoing_serial)
        self._connection.send(call, serial=self._serial)
        self._sent = now

    def _read(self, now: float) -> None:
        while True:
            try:
                message = self._connection.receive(timeout=0)
            except TimeoutError:
                return
            if message.header.fields.get(HeaderFields.reply_serial) == self._serial:
                self._serial, self._answered = None, now


def _body(reply: Message, member: str) -> tuple[Any, ...]:
    body: tuple[Any, ...] = tuple(reply.body)
    if reply.header.message_type != MessageType.error:
        return body
    name = str(reply.header.fields.get(HeaderFields.error_name, ""))
    text = f"NFS-Ganesha: {member}: {str(body[0])[:600] if body else name}"
    raise (TransientError if name.endswith(_GONE) else Refused)(text)


def _level(options: int) -> str:
    return "rw" if options & _WRITE_ACCESS else "ro"
