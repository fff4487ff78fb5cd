"""The lease of a PostgreSQL log: a row in its schema, and an advisory lock of a session of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.lease import rows as lease_rows
from share_actors.events.log.lease.lease import Lease, Owner
from share_actors.events.log.postgres.errors import explain
from share_actors.events.log.postgres.store import login

if TYPE_CHECKING:
    import psycopg

_TIMEOUT_S = 5
_NOW = "extract(epoch from clock_timestamp())::double precision"


class PostgresLease:
    """A `LeaseStore` for the log in the schema of *settings*. It connects again after an error."""

    field = "log.host"
    lock_outlives_machine = True

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self.value = f"{settings.host}:{settings.port}/{settings.database}/{settings.schema_name}"
        self._table = f"{settings.schema_name}.lease"
        self._sql = lease_rows.statements(self._table, now=_NOW, mark="%s")
        name = f"share-actors lease {settings.schema_name}".encode()
        self._key = int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
        self._connected: psycopg.Connection | None = None
        self._held: set[str] = set()

    def lock(self, *, shared: bool) -> bool:
        """See `LeaseStore`."""
        wanted, other = ("_shared", "") if shared else ("", "_shared")
        with self._errors():
            if wanted not in self._held:
                if not self._value(f"SELECT pg_try_advisory_lock{wanted}(%s)", self._key):
                    return False
                self._held.add(wanted)
            self._drop(other)
        return True

    def unlock(self) -> None:
        """See `LeaseStore`."""
        with self._errors():
            for kind in ("_shared", ""):
                self._drop(kind)

    def _drop(self, kind: str) -> None:
        if kind in self._held:
            self._value(f"SELECT pg_advisory_unlock{kind}(%s)", self._key)
            self._held.discard(kind)

    def read(self) -> tuple[Lease | None, float]:
        """See `LeaseStore`."""
        with self._errors():
            if self._value("SELECT to_regclass(%s)", self._table) is None:
                return None, time.time()
            row = self._execute(self._sql["read"]).fetchone()
        return (None, time.time()) if row is None else (lease_rows.lease_of(row), row[-1])

    def take(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`."""
        with self._errors():
            if self._value("SELECT to_regclass(%s)", self._table) is None:
                self._execute(self._sql["create"])
            parameters = lease_rows.take_parameters(owner, epoch)
            return self._execute(self._sql["take"], *parameters).rowcount == 1

    def beat(self, owner: Owner, epoch: int) -> bool:
        """See `LeaseStore`."""
        with self._errors():
            parameters = lease_rows.beat_parameters(owner, epoch)
            return self._execute(self._sql["beat"], *parameters).rowcount == 1

    def end(self, owner: Owner, epoch: int) -> None:
        """See `LeaseStore`."""
        with self._errors():
            self._execute(self._sql["end"], owner.system, epoch)

    def close(self) -> None:
        """See `LeaseStore`."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None
        self._held.clear()

    def _value(self, query: str, *parameters: Any) -> Any:
        row = self._execute(query, *parameters).fetchone()
        return None if row is None else row[0]

    def _execute(self, query: str, *parameters: Any) -> psycopg.Cursor[Any]:
        """Run *query*, which consists of our own texts and the checked name of the schema."""
        if self._connected is None:
            self._connected = self._connect()
        return self._connected.execute(query, parameters)

    def _connect(self) -> psycopg.Connection:
        from share_actors.events.log.postgres.connection import (  # noqa: PLC0415 - an optional package
            connection_class,
        )

        return connection_class(_TIMEOUT_S).connect(
            **login(self._settings, f"statement_timeout={_TIMEOUT_S}s"),
            connect_timeout=_TIMEOUT_S,
            application_name="share-actors lease",
            tcp_user_timeout=_TIMEOUT_S * 1000,
            keepalives_idle=_TIMEOUT_S,
            keepalives_interval=_TIMEOUT_S,
            autocommit=True,
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import psycopg  # noqa: PLC0415 - an optional package

        try:
            yield
        except psycopg.Error as error:
            self.close()
            raise LogError(
                f"the lease of the log can't be read or written: {explain(self._settings, error)}",
                field="log.host",
                value=self.value,
            ) from error
