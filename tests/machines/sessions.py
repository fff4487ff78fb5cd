"""`python -m tests.machines.sessions ACTION HOST`: sessions of a log on the PostgreSQL server HOST.

With ACTION `hold` it has the log's locks in all kinds of sessions, says `held`, and goes on until its standard
input is closed. With `append` it appends an event, which needs the lock for writing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from psycopg.sql import SQL

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import Owner
from share_actors.events.log.lease.postgres import PostgresLease
from share_actors.events.log.postgres.horizon import turn
from tests.events.appending import append

NO_FILE = Path("/nonexistent")


def hold(log: Log, settings: LogSettings) -> None:
    """Hold the lease, and the turn to write in the middle of a transaction; the server waits for its end."""
    lease = PostgresLease(settings)
    lease.hold()
    recorder: Any = log._recorder
    with recorder.datastore.get_connection() as connection, connection.pipeline():
        connection.execute("BEGIN")
        connection.execute(turn(settings.schema_name) + SQL(" SELECT FROM turn"))
        connection.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
        print("held", flush=True)
        sys.stdin.read()
