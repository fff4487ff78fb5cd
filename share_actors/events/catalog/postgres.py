"""The catalog in the log's PostgreSQL schema."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog.store import NAME, Store
from share_actors.events.log.infrastructure import LogStore
from share_actors.events.log.postgres import open_postgres
from share_actors.events.log.postgres_connection import with_retries

T = TypeVar("T")
_SETUP_LOCK = 0x53484341


class PostgresStore(Store, PostgresTrackingRecorder):
    """A catalog in tables named `catalog_...` beside those of the log."""

    tracking_table = "catalog_tracking"

    def __init__(self, log_store: LogStore) -> None:
        datastore = log_store.factory.datastore  # type: ignore[attr-defined]
        PostgresTrackingRecorder.__init__(self, datastore, tracking_table_name=self.tracking_table)
        self.explain = log_store.explain
        self._log_store, self._prefix = log_store, f'"{datastore.schema}".'

    def dialect(self, text: str) -> str:
        """Return the statement *text* for PostgreSQL."""
        text = text.replace("{s}", self._prefix).replace("{c}", ' COLLATE "C"').replace("{w}", "")
        return text.replace("{t}", self.tracking_table).replace("?", "%s")

    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        """Open a cursor in a transaction of its own."""
        return self.datastore.transaction(commit=commit)

    def track(self, c: Any, position: int) -> None:
        """Store the position in the log."""
        self._insert_tracking(c, Tracking(NAME, position))

    def with_retries(self, job: Callable[[], T]) -> T:
        """Run *job* again, up to ten times, if the connection is lost."""
        return with_retries(job)

    def create_table(self) -> None:
        """Create the recorder's table and the catalog's."""
        PostgresTrackingRecorder.create_table(self)

    def _create_table(self, curs: Any) -> None:
        curs.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
        if self._is_missing(curs):  # IF NOT EXISTS requires the privilege even if the table exists
            super()._create_table(curs)
            self.create_layout(curs)
        else:
            self.renew_layout(curs)

    def _is_missing(self, curs: Any) -> bool:
        curs.execute("SELECT to_regclass(%s) AS found", [f"{self._prefix}catalog_layout"])
        return curs.fetchone()["found"] is None

    def compact(self) -> None:
        """Nothing to do: the tables of a rebuilt catalog are new files."""

    def close(self) -> None:
        """Close the connections."""
        self._log_store.factory.close()


def open_catalog(settings: LogSettings) -> Store:
    """Open the catalog beside the log of *settings*, or create it."""
    store = PostgresStore(open_postgres(settings, create=True))
    try:
        store.create_tables()
    except LogError:
        store.close()
        raise
    return store
