"""`python -m tests.machines.sessions ACTION HOST`: sessions of a log on the PostgreSQL server HOST.

With ACTION `hold` it has locks of the log in several sessions, says `held`, and goes on until its standard
input is closed. With `append` it appends an event, which needs the lock for writing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from psycopg.sql import SQL

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.lease.postgres import PostgresLease
from share_actors.events.log.postgres.horizon import turn
from tests.events.appending import append


def hold(log: Log, settings: LogSettings) -> None:
    """Lock the lease; take the turn to write, in a transaction whose next statement the server waits for."""
    assert PostgresLease(settings).lock(shared=False)
    recorder: Any = log._recorder
    with recorder.datastore.get_connection() as connection, connection.pipeline():
        connection.execute("BEGIN")
        connection.execute(turn(settings.schema_name) + SQL(" SELECT FROM turn"))
        connection.execute("SELECT FROM stored_events LIMIT 1").fetchall()
        print("held", flush=True)
        sys.stdin.read()


def main(action: str, host: str) -> None:
    """Do what *action* says with a log on the server *host*."""
    settings = LogSettings(kind="postgresql", host=host, database="postgres", user="postgres")
    log = Log.open(settings, Path("/nonexistent"))
    if action == "hold":
        hold(log, settings)
    else:
        append(log, "near", 0, "x")
        log.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
