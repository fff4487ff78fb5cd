"""Faults of the log of a running system: its database is killed, paused, made read-only, full or locked."""

from __future__ import annotations

import os
import random
import shlex
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from share_actors.config import LogSettings
from tests.events import full_disk, postgres

MAX_START_S = 60.0
PAUSE_S = (1.0, 6.0)
"""How long a fault lasts; a lock on the file also longer than the log waits for it."""
LOCK_TIMEOUT_S = 3
"""`log.lock_timeout_s` of a system on SQLite, so that some locks outlast it."""
TMPFS_MB = 600
READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"
Seconds = tuple[float, float]
Faults = Mapping[str, Callable[[], None]]


class PostgresFaults:
    """Faults of the server of *settings*, which runs on this machine for the tests alone."""

    def __init__(self, settings: LogSettings, rng: random.Random, pause_s: Seconds) -> None:
        self._settings, self._rng, self._pause_s = settings, rng, pause_s
        with postgres.admin(settings) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self._directory = Path(row[0])

    def kinds(self) -> Faults:
        """The faults by name; each has ended when its function returns."""
        return {
            "database killed": self.kill,
            "a process of the database killed": self.kill_session,
            "database paused": self.pause,
            "database read-only": self.make_read_only,
        }

    def kill(self) -> None:
        """`kill -9` the server, and start it again."""
        server = self._server()
        command, user = server.cmdline(), server.username()
        control = Path(server.exe()).with_name("pg_ctl")
        server.kill()
        start: list[str | Path] = [
            control,
            "-w",
            "-o",
            shlex.join(command[3:]),
            "-l",
            self._directory / "log",
        ]
        deadline = time.monotonic() + MAX_START_S
        while not self._succeeds([*start, "-D", self._directory, "start"], user):
            assert time.monotonic() < deadline, "the database server does not start"
            time.sleep(0.2)

    def _succeeds(self, command: list[str | Path], user: str) -> bool:
        """Run *command* as *user*; false while processes of the killed server are still there."""
        owner = user if os.getuid() == 0 else None
        done = subprocess.run(
            command, user=owner, cwd=self._directory, stdout=subprocess.DEVNULL, check=False
        )
        return done.returncode == 0

    def kill_session(self) -> None:
        """`kill -9` one process that serves a client: the server ends all others and recovers."""
        with suppress(psycopg.OperationalError), postgres.admin(self._settings) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' ORDER BY random() LIMIT 1"
            ).fetchone()
            if found is not None:
                os.kill(found[0], signal.SIGKILL)

    def pause(self) -> None:
        """Suspend the server and all its processes for seconds."""
        server = self._server()
        paused = [server, *server.children()]
        _signal(paused, signal.SIGSTOP)
        try:
            time.sleep(self._rng.uniform(*self._pause_s))
        finally:
            _signal(paused, signal.SIGCONT)

    def make_read_only(self) -> None:
        """Have every transaction refused that writes, for seconds."""
        try:
            self._configure(READ_ONLY)
            time.sleep(self._rng.uniform(*self._pause_s))
        finally:
            self._configure("ALTER SYSTEM RESET default_transaction_read_only")

    def _configure(self, command: str) -> None:
        """Execute *command*, once the server has recovered from the fault before."""
        deadline = time.monotonic() + MAX_START_S
        while True:
            try:
                with postgres.admin(self._settings) as connection:
                    connection.execute(command.encode())
                    connection.execute("SELECT pg_reload_conf()")
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def _server(self) -> psutil.Process:
        first = (self._directory / "postmaster.pid").read_text().partition("\n")[0]
        return psutil.Process(int(first))


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class SqliteFaults:
    """Faults of the log in the file at *path*; *own_disk* says that its filesystem has nothing else."""

    def __init__(self, path: Path, rng: random.Random, pause_s: Seconds, *, own_disk: bool) -> None:
        self._path, self._rng, self._pause_s, self._own_disk = path, rng, pause_s, own_disk

    def kinds(self) -> Faults:
        """The faults by name; each has ended when its function returns."""
        kinds = {"log locked": self.lock}
        own_disk = {"disk full": self.fill_disk, "log read-only": self.make_read_only}
        return kinds | own_disk if self._own_disk else kinds

    def lock(self) -> None:
        """Hold the write lock from another connection, at times for longer than the log waits."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=30.0)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(self._rng.uniform(*self._pause_s))
            other.execute("ROLLBACK")

    def fill_disk(self) -> None:
        """Fill the filesystem for seconds."""
        filler = full_disk.fill(self._path.parent)
        try:
            time.sleep(self._rng.uniform(*self._pause_s))
        finally:
            filler.unlink()

    def make_read_only(self) -> None:
        """Remount the filesystem read-only for seconds, for which every process that writes must die."""
        deadline = time.monotonic() + MAX_START_S
        while not self._remount("ro"):
            assert time.monotonic() < deadline, "a process keeps the log open for writing"
            self._kill_writers()
        try:
            time.sleep(self._rng.uniform(*self._pause_s))
        finally:
            assert self._remount("rw")

    def _remount(self, how: str) -> bool:
        command = ["mount", "-o", f"remount,{how}", str(self._path.parent)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _kill_writers(self) -> None:
        """`kill -9` the processes of the system that have the log open."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_worker = any("ray::" in part for part in process.cmdline())
                if is_worker and str(self._path) in [f.path for f in process.open_files()]:
                    process.kill()


@contextmanager
def own_disk(directory: Path) -> Iterator[bool]:
    """A small filesystem at *directory* while the block runs; false if this user may not mount one.

    It is mounted in the mount namespace of this process, which should be its own.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(directory)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(directory)], check=False)
