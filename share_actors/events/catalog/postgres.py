"""The catalog in the log's PostgreSQL schema.

The names of its tables have the number of their layout. Those of another layout stay until a new catalog
has caught up beside them; it then drops them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from eventsourcing.persistence import PersistenceError, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog.sql import LAYOUT
from share_actors.events.catalog.store import NAME, Store
from share_actors.events.log.infrastructure import LogStore
from share_actors.events.log.postgres.connection import with_retries
from share_actors.events.log.postgres.store import open_postgres

T = TypeVar("T")
logger = logging.getLogger(__name__)
_SETUP_LOCK = 0x53484341
OWN = f"catalog_{LAYOUT}_"
"""How the names of this layout's tables and indexes begin; before layouts had names it was `catalog_`."""
_OTHERS = (
    "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    " AND starts_with(tablename, 'catalog_') AND NOT starts_with(tablename, %s) ORDER BY tablename"
)
DROP_TIMEOUT = "2s"
"""How long to wait for another process that reads a table of another layout."""


class PostgresStore(Store, PostgresTrackingRecorder):
    """A catalog in tables named `catalog_LAYOUT_...` beside those of the log."""

    tracking_table = f"{OWN}tracking"

    def __init__(self, log_store: LogStore) -> None:
        datastore = log_store.factory.datastore  # type: ignore[attr-defined]
        PostgresTrackingRecorder.__init__(self, datastore, tracking_table_name=self.tracking_table)
        self.explain = log_store.explain
        self._log_store, self._schema = log_store, datastore.schema
        self._prefix = f'"{datastore.schema}".'
        self._is_alone = False

    def dialect(self, text: str) -> str:
        """Return the statement *text* for PostgreSQL."""
        text = text.replace("catalog_", OWN)
        text = text.replace("{s}", self._prefix).replace("{c}", ' COLLATE "C"').replace("{w}", "")
        text = text.replace("{n}", "BIGINT GENERATED ALWAYS AS IDENTITY")
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
        curs.execute("SELECT to_regclass(%s) AS found", [f"{self._prefix}{OWN}layout"])
        return curs.fetchone()["found"] is None

    def exchange(self) -> None:
        """Drop the tables of other layouts, now that this one is whole; if it cannot, they stay."""
        if self._is_alone:
            return
        self._is_alone = True
        try:
            self._drop_others()
        except PersistenceError as error:
            text = "schema %s: the catalog's tables of another layout could not be dropped: %s; %s"
            advice = f"drop what begins with catalog_, but not {OWN}, when nobody uses it"
            logger.warning(text, self._schema, error, advice)

    def _drop_others(self) -> None:
        with self.cursor(commit=True) as c:
            c.execute(_OTHERS, [self._schema, OWN])
            others = [row["tablename"] for row in c.fetchall()]
            if others:
                c.execute(f"SET LOCAL lock_timeout = '{DROP_TIMEOUT}'")
                tables = ", ".join(f'{self._prefix}"{name}"' for name in others)
                c.execute(f"DROP TABLE IF EXISTS {tables}")
                logger.info("schema %s: the catalog now has layout %d", self._schema, LAYOUT)

    def compact(self) -> None:
        """Drop the tables of other layouts, which have old rows; those of a rebuilt catalog are new files.

        Raises `LogError` if they cannot be dropped.
        """
        self._guarded(self._drop_others)

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
