"""A log in PostgreSQL, for any number of nodes; psycopg, an optional package, is imported on use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from eventsourcing.persistence import PersistenceError

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.archived_rows import stored_reader
from share_actors.events.log.infrastructure import (
    Factory,
    LogStore,
    check_packages,
    construct,
    create_tables,
)
from share_actors.events.log.postgres.errors import explain, missing_privileges, where

if TYPE_CHECKING:
    import psycopg

    from share_actors.events.log.postgres.layout import Layout

_SETUP_LOCK = 0x53484C47
"""The advisory lock under which processes create the tables one after the other."""
_CONNECT_TIMEOUT_S = 3
_POOL_TIMEOUT_S = 0.3
"""How long each of a recorder's ten tries waits for a connection."""
_MAY_CREATE = """
    SELECT coalesce(
        has_schema_privilege(to_regnamespace(%s)::oid, 'CREATE'),
        has_database_privilege(current_database(), 'CREATE')
    )
"""
"""The privilege in the schema if it exists, or else in the database."""
STATEMENT_TIMEOUT_S = 30
"""After so long the server ends a statement."""
_IDLE_S = 5
"""After so long the server ends a session that is idle in a transaction: it may hold a lock."""
_FACTORY = "share_actors.events.log.postgres.recorder:BoundedFactory"
_PARTITIONED = "share_actors.events.log.postgres.partitioned:PartitionedFactory"
_UNREACHABLE_MS = 10_000
"""How long sent data may remain unacknowledged before the connection counts as lost, at either end."""
_NOTICES_LOSS = (
    f"tcp_user_timeout={_UNREACHABLE_MS}",
    "tcp_keepalives_idle=5",
    "tcp_keepalives_interval=2",
    "tcp_keepalives_count=5",
)
"""The server ends a session that long after its client's machine was cut off; it may hold locks."""


def open_postgres(settings: LogSettings, *, create: bool) -> LogStore:
    """Open the log in the schema of *settings*; create missing tables if *create* is true."""
    check_packages(settings)
    with _connected(settings) as connection:
        # Only whoever creates it takes the lock, whose holder may be cut off.
        if not _exists(connection, settings):
            connection.execute("SELECT pg_advisory_lock(%s)", (_SETUP_LOCK,))
            if not _exists(connection, settings):
                _create(connection, settings, create=create)
        layout = _checked_layout(connection, settings)
        factory = _postgres(settings, create=False)
        factory.layout = layout  # type: ignore[attr-defined]
    archived = stored_reader(factory, settings.schema_name)
    return LogStore(factory, lambda error: explain(settings, error), archived)


def session(*parameters: str) -> str:
    """The `options` of a connection: *parameters* of the server, such as `lock_timeout=3s`.

    In addition the server ends the session soon, and frees its locks, if the client's machine is cut off.
    """
    return " ".join(f"-c {parameter}" for parameter in (*_NOTICES_LOSS, *parameters))


def login(settings: LogSettings, *parameters: str) -> dict[str, Any]:
    """The parameters of psycopg's `connect` for the database of *settings*; see `session`."""
    return {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": settings.password.get_secret_value(),
        "options": session(*parameters),
    }


@contextmanager
def _connected(settings: LogSettings) -> Iterator[psycopg.Connection]:
    """A connection for questions before the log is open; each of its statements has a deadline."""
    import psycopg  # noqa: PLC0415 - an optional package

    from share_actors.events.log.postgres.connection import (  # noqa: PLC0415 - an optional package
        connection_class,
    )

    try:
        with connection_class(_statement_timeout_s(settings)).connect(
            **{**login(settings), **_deadlines(settings)}, autocommit=True
        ) as connection:
            yield connection
    except (psycopg.Error, PersistenceError) as error:
        raise LogError(explain(settings, error), field="log.host", value=settings.host) from None


def _exists(connection: psycopg.Connection, settings: LogSettings) -> bool:
    """Return whether the log exists; the table of snapshots is created last."""
    table = f"{settings.schema_name}.stored_snapshots"
    row = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    return row is not None and row[0] is not None


def is_still_to_be_created(settings: LogSettings) -> bool:
    """Return whether there is no log yet; raises `LogError` if the user may not create one."""
    with _connected(settings) as connection:
        if _exists(connection, settings):
            return False
        row = connection.execute(_MAY_CREATE, (settings.schema_name,)).fetchone()
    if row is None or not row[0]:
        raise LogError(
            f"{where(settings)}: schema {settings.schema_name} has no log, and log.user"
            f" {settings.user} may not create one: {missing_privileges(settings)}; or correct"
            " log.schema_name",
            field="log.schema_name",
            value=settings.schema_name,
        )
    return True


def _create(connection: psycopg.Connection, settings: LogSettings, *, create: bool) -> None:
    from psycopg.sql import SQL, Identifier  # noqa: PLC0415 - an optional package

    name = settings.schema_name
    if not create:
        raise LogError(
            f"{where(settings)}: schema {name} has no log; start the system once, or correct"
            " log.database and log.schema_name",
            field="log.database",
            value=settings.database,
        )
    row = connection.execute("SELECT to_regnamespace(%s)", (name,)).fetchone()
    if row == (None,):  # IF NOT EXISTS requires the privilege even if the schema exists
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(name)))
    create_tables(_postgres(settings, create=True))


def _checked_layout(connection: psycopg.Connection, settings: LogSettings) -> Layout:
    """The tables of the log, which has as many partitions as *settings* say."""
    from share_actors.events.log.postgres import partition_tables  # noqa: PLC0415 - an optional package
    from share_actors.events.log.postgres.layout import Layout  # noqa: PLC0415 - an optional package

    layout = Layout(connection.execute, settings.schema_name, partition_tables.EVENTS)
    found = partition_tables.recorded(connection.execute, settings.schema_name)
    partition_tables.check(settings, found)
    return layout


def _postgres(settings: LogSettings, *, create: bool) -> Factory:
    from share_actors.events.log.postgres.connection import (  # noqa: PLC0415 - an optional package
        connection_class,
    )

    environment = {
        "POSTGRES_HOST": settings.host,
        "POSTGRES_PORT": str(settings.port),
        "POSTGRES_DBNAME": settings.database,
        "POSTGRES_USER": settings.user,
        "POSTGRES_PASSWORD": settings.password.get_secret_value(),
        "POSTGRES_SCHEMA": settings.schema_name,
        "POSTGRES_POOL_SIZE": "2",
        "POSTGRES_MAX_OVERFLOW": "8",
        "POSTGRES_LOCK_TIMEOUT": str(settings.lock_timeout_s),
        "POSTGRES_CONNECT_TIMEOUT": str(_CONNECT_TIMEOUT_S),
        "POSTGRES_IDLE_IN_TRANSACTION_SESSION_TIMEOUT": str(_IDLE_S),
        # Its stored functions insert without the table lock, so tailing readers would miss events.
        "POSTGRES_ENABLE_DB_FUNCTIONS": "no",
    }
    if settings.partitions > 1:
        environment["POSTGRES_MAX_OVERFLOW"] = str(8 + settings.partitions)
        environment["SHARE_ACTORS_PARTITIONS"] = str(settings.partitions)
    factory = construct(
        _FACTORY if settings.partitions == 1 else _PARTITIONED, settings, environment, create=create
    )
    pool = factory.datastore.pool  # type: ignore[attr-defined]
    pool.connection_class = connection_class(_statement_timeout_s(settings))
    pool.kwargs.update(**_deadlines(settings), application_name=f"share-actors log {uuid4().hex}")
    pool.reconnect_timeout = 1.0 * _CONNECT_TIMEOUT_S  # the next caller connects without back-off
    pool.open(wait=True, timeout=2.0 * _CONNECT_TIMEOUT_S)
    pool.timeout = _POOL_TIMEOUT_S
    return factory


def _deadlines(settings: LogSettings) -> dict[str, Any]:
    """The parameters of psycopg's `connect` that keep every connection from waiting without end."""
    return {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "options": _options(settings),
        "tcp_user_timeout": _UNREACHABLE_MS,
    }


def _options(settings: LogSettings) -> str:
    """The server's settings for a session."""
    return session(
        "synchronous_commit=on",
        f"statement_timeout={_statement_timeout_s(settings)}s",
        f"lock_timeout={settings.lock_timeout_s}s",
        f"idle_in_transaction_session_timeout={_IDLE_S}s",
    )


def _statement_timeout_s(settings: LogSettings) -> int:
    """The deadline of a statement, of which a wait for the lock is a part."""
    return max(STATEMENT_TIMEOUT_S, settings.lock_timeout_s)
