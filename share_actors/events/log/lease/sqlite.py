"""The lease of an SQLite log: a row in the file, and `flock` on a file beside it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from share_actors.errors import LogError
from share_actors.events.log.lease import rows as lease_rows
from share_actors.events.log.lease.flock import FlockedLease
from share_actors.events.log.lease.lease import Lease, Owner
from share_actors.events.log.sqlite import file as sqlite_file
from share_actors.file_lock import FileLock

_SQL = lease_rows.statements("lease", now="(julianday('now') - 2440587.5) * 86400.0", mark="?")
_TIMEOUT_S = 5.0


class SqliteLease(FlockedLease):
    """A `LeaseStore` for the log in the file *path*.

    Not the log itself is locked: closing a file drops the locks that SQLite holds on it in this process.
    """

    field = "log.path"

    def __init__(self, path: Path) -> None:
        self.value = str(path)
        self._path = path
        with self._errors():
            self._lock = FileLock(path.with_name(path.name + ".lock"))
            self._connection = sqlite3.connect(
                sqlite_file.uri(path),
                uri=True,
                isolation_level=None,
                timeout=_TIMEOUT_S,
                check_same_thread=False,
            )
            # a heartbeat that a power failure loses is worth no sync of the disk
            self._connection.execute("PRAGMA synchronous=NORMAL")

    def read(self) -> tuple[Lease | None, float]:
        """See `LeaseStore`."""
        with self._errors():
            if not self._has_table():
                return None, time.time()
            row = self._connection.execute(_SQL["read"]).fetchone()
        return (None, time.time()) if row is None else (lease_rows.lease_of(row), row[-1])

    def _has_table(self) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'lease'"
        return self._connection.execute(query).fetchone() is not None

    def take(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`."""
        with self._errors():
            self._connection.execute(_SQL["create"])
            parameters = lease_rows.take_parameters(owner, epoch)
            return self._connection.execute(_SQL["take"], parameters).rowcount == 1

    def beat(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`."""
        with self._errors():
            parameters = lease_rows.beat_parameters(owner, epoch)
            return self._connection.execute(_SQL["beat"], parameters).rowcount == 1

    def end(self, owner: Owner, epoch: int) -> None:
        """See `LeaseStore`."""
        with self._errors():
            self._connection.execute(_SQL["end"], (owner.system, epoch))

    def close(self) -> None:
        """See `LeaseStore`."""
        self._connection.close()
        self._lock.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise LogError(
                f"log.path {self._path}: its lease can't be read or written: {error}",
                field="log.path",
                value=self.value,
            ) from error
