"""Who is connected to the shares of the private smbd, and cutting off who may no longer be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import NamedTuple

import psutil

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.fence import check_deadline
from share_actors.drivers.samba.programs import Programs
from share_actors.values import Frozen

PATIENCE_S = 5.0
"""How long a process of smbd has to obey, before it is killed."""
POLL_S = 0.02


class Client(Frozen):
    """A client that was connected to a share."""

    user: str
    address: str


class Cut(Frozen):
    """The clients that a change of rules has cut off; their open files are closed."""

    denied: tuple[Client, ...] = ()
    """They may no longer use the share."""
    interrupted: tuple[Client, ...] = ()
    """They may still use the share, and connect again: smbd can make a share read-only for all or none."""


class Connection(NamedTuple):
    """A share that one session has connected to."""

    id: str
    share: str
    user: str
    address: str
    pid: int
    since: str = ""


class Status(NamedTuple):
    """All sessions and connections at one time."""

    users: dict[int, frozenset[str]]
    """The users with a session, by the process that serves them."""
    connections: tuple[Connection, ...]


def parsed_status(text: str) -> Status:
    """The sessions and connections in the JSON of `smbstatus`. Raises `DriverError`."""
    try:
        fields = json.loads(text)
        names = {key: entry["username"] for key, entry in fields["sessions"].items()}
        users: dict[int, frozenset[str]] = {}
        for entry in fields["sessions"].values():
            pid = int(entry["server_id"]["pid"])
            users[pid] = users.get(pid, frozenset()) | {entry["username"]}
        connections = tuple(
            Connection(
                key,
                tcon["service"],
                names.get(tcon["session_id"], ""),
                tcon["machine"],
                _pid(tcon),
                tcon.get("connected_at", ""),
            )
            for key, tcon in fields["tcons"].items()
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DriverError(f"smbstatus: cannot understand its output: {error!r}") from None
    return Status(users, connections)


def _pid(tcon: dict[str, dict[str, str]]) -> int:
    return int(tcon["server_id"]["pid"])


def time_of(text: str) -> datetime | None:
    """The time in *text*, as `smbstatus` writes it; None for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC)


class Sessions:
    """The sessions of one running smbd, whose main process is *daemon*."""

    def __init__(self, programs: Programs, daemon: psutil.Process) -> None:
        self._programs, self._daemon = programs, daemon

    def status(self) -> Status:
        """Who is connected now."""
        return parsed_status(self._programs.status())

    def connected(self, share: str) -> tuple[Connection, ...]:
        """The connections to *share* now."""
        return tuple(c for c in self.status().connections if c.share.lower() == share.lower())

    def reload(self) -> None:
        """Make smbd read its configuration: each process does when it comes to it."""
        self._programs.control("smbd", "reload-config")

    def cut(
        self, share: str, allowed: Collection[str], lost: Collection[str], *, everyone: bool
    ) -> Cut:
        """Disconnect from *share* who is not *allowed*, or *everyone* who is connected now.

        *lost* are the users who may do less than before. When this returns, no process serves any of them
        by the old configuration. Raises `TransientError`.
        """
        if lost:
            self._reload_now(lost)
        else:
            self.reload()
        before = self.connected(share)
        leaving = {c.id for c in before if everyone or c.user not in allowed}
        if leaving:
            self._programs.control(
                "smbd", "close-share" if everyone else "close-denied-share", share
            )
        self._end(
            lambda: [
                c.pid for c in self.connected(share) if c.id in leaving or c.user not in allowed
            ]
        )
        gone = [c for c in before if c.id in leaving]
        return Cut(
            denied=_clients(c for c in gone if c.user not in allowed),
            interrupted=_clients(c for c in gone if c.user in allowed),
        )

    def end_user(self, user: str) -> None:
        """End every session of *user*, and the other sessions of the same processes."""
        self._end(lambda: [pid for pid, users in self.status().users.items() if user in users], 0.0)

    def _reload_now(self, lost: Collection[str]) -> None:
        """Return when each process that serves *lost*, or nobody yet, has read the configuration.

        The main process passes the request on; each process answers messages in their order.
        """
        self.reload()
        self._programs.control("smbd", "ping")
        users = self.status().users
        children = {child.pid for child in self._daemon.children()}
        asked = {pid for pid in children if not users.get(pid) or users[pid].intersection(lost)}
        with ThreadPoolExecutor(8) as pool:
            contexts = [copy_context() for _ in asked]  # of the attempt, and of the locks held
            found = pool.map(lambda each, pid: each.run(self._answers, pid), contexts, asked)
            answers = dict(zip(asked, found, strict=True))
        for pid, answered in answers.items():
            if not answered:
                self._kill(pid)

    def _answers(self, pid: int) -> bool:
        return self._programs.control(pid, "ping")

    def _end(self, remaining: Callable[[], list[int]], patience_s: float = PATIENCE_S) -> None:
        """Wait until no process is *remaining*; after *patience_s* those that are left are killed."""
        begin = time.monotonic()
        while pids := remaining():
            waited = time.monotonic() - begin
            if waited > patience_s + PATIENCE_S:
                raise TransientError(f"smbd: processes {pids} still serve clients that were denied")
            if waited >= patience_s:
                for pid in pids:
                    self._kill(pid)
            check_deadline("the end of the sessions of clients that were denied")
            time.sleep(POLL_S)

    def _kill(self, pid: int) -> None:
        """Kill the process *pid* if it is one of smbd's: its clients lose their connection."""
        for child in self._daemon.children(recursive=True):
            if child.pid == pid:
                child.kill()


def _clients(connections: Iterable[Connection]) -> tuple[Client, ...]:
    found = {(c.user, c.address) for c in connections}
    return tuple(Client(user=user, address=address) for user, address in sorted(found))
