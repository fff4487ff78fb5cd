"""A dump of a PostgreSQL log, restored into a new database of its server that is dropped afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest, LogError
from share_actors.events.log.postgres.errors import explain
from share_actors.events.log.postgres.store import login

_CUSTOM = b"PGDMP"
_PLAIN = b"--\n-- PostgreSQL database dump"
_HEAD_BYTES = 64
_LOCK = "{function}(hashtextextended(%s, 0))"
_DROPPABLE = "SELECT datname FROM pg_database WHERE datname ~ %s AND pg_has_role(datdba, 'USAGE')"
"""Databases by a pattern of their names; those of other roles cannot be dropped, and are theirs."""
Execute = Callable[..., Any]


def is_dump(backup: str) -> bool:
    """Whether *backup* is a file that `pg_dump` wrote, in its plain or its custom format."""
    try:
        with Path(backup).open("rb") as file:
            return file.read(_HEAD_BYTES).lstrip(b"\n").startswith((_CUSTOM, _PLAIN))
    except (OSError, ValueError):
        return False


@contextmanager
def restored(dump: Path, live: LogSettings) -> Iterator[LogSettings]:
    """The log in *dump*, restored beside the log *live* into a database that is dropped in the end.

    Raises `InvalidRequest` if *live* is not in PostgreSQL or the programs are missing, and `LogError`.
    """
    if live.kind != "postgresql":
        raise InvalidRequest(
            f"backup: {dump} is a dump of PostgreSQL, and the configured log is not in PostgreSQL; use the"
            " configuration of the log that it is a backup of, or the URL of a database with it",
            field="backup",
            value=str(dump),
        )
    program = _program(dump)
    prefix = f"share_actors_drill_{sha256(live.database.encode()).hexdigest()[:6]}_"
    name = f"{prefix}{uuid4().hex[:12]}"
    settings = live.model_copy(update={"database": name})
    with _server(live) as execute:
        _drop_abandoned(execute, prefix)
        execute(f"SELECT {_LOCK.format(function='pg_advisory_lock')}", name)
        execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            _restore(program, dump, settings)
            yield settings
        finally:
            _execute(live, f"DROP DATABASE {name} WITH (FORCE)")


def _drop_abandoned(execute: Execute, prefix: str) -> None:
    """Drop the databases of drills from the same log that were killed: no session has their locks."""
    found = execute(_DROPPABLE, f"^{prefix}[0-9a-f]{{12}}$")
    for (name,) in found.fetchall():
        is_free = f"SELECT {_LOCK.format(function='pg_try_advisory_lock')}"
        if execute(is_free, name).fetchone()[0]:
            execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            execute(f"SELECT {_LOCK.format(function='pg_advisory_unlock')}", name)


def _program(dump: Path) -> list[str]:
    """The command that restores *dump*; `--dbname` is left to be added."""
    with dump.open("rb") as file:
        is_custom = file.read(len(_CUSTOM)) == _CUSTOM
    name = "pg_restore" if is_custom else "psql"
    path = shutil.which(name)
    if path is None:
        raise InvalidRequest(
            f"backup: {dump} is restored by {name}, which is not installed; install Debian's package"
            " postgresql-client, or restore it yourself and give the URL of the database",
            field="backup",
            value=str(dump),
        )
    if is_custom:
        return [path, "--exit-on-error", "--no-owner", "--no-privileges", str(dump)]
    options = ("--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
    return [path, *options, f"--file={dump}"]


def _restore(program: list[str], dump: Path, settings: LogSettings) -> None:
    parameters = login(settings)
    place = {f"PG{name.upper()}": str(parameters[name]) for name in ("host", "port", "user")}
    place["PGPASSWORD"] = str(parameters["password"])
    done = subprocess.run(
        [*program, f"--dbname={settings.database}"],
        env={**os.environ, **place},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise LogError(
            f"{dump} cannot be restored: {said}; the database for it was dropped; take an older backup",
            field="backup",
            value=str(dump),
        )


def _execute(settings: LogSettings, statement: str) -> None:
    with _server(settings) as execute:
        execute(statement)


@contextmanager
def _server(settings: LogSettings) -> Iterator[Execute]:
    """Runs statements in one session; raises `LogError` for what the server refuses."""
    import psycopg  # noqa: PLC0415 - an optional package

    try:
        with closing(psycopg.connect(**login(settings), autocommit=True)) as connection:
            yield lambda statement, *given: connection.execute(statement.encode(), given)
    except psycopg.Error as error:
        raise LogError(
            f"{explain(settings, error)}; the drill needs a role that may create databases"
            " (CREATEDB), or the URL of a database with the restored dump",
            field="log.user",
            value=settings.user,
        ) from None
