"""The catalog in the log's own PostgreSQL schema; imported only when that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from eventsourcing.persistence import InterfaceError, OperationalError, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.utils import retry

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog.store import NAME, Store
from share_actors.events.log.infrastructure import LogStore
from share_actors.events.log.postgres import open_postgres

T = TypeVar("T")
_SETUP_LOCK = 0x53484341
_again = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
"""As the library's recorders do: a connection that the server cut is made anew."""


class PostgresStore(Store, PostgresTrackingRecorder):
    """Tables named `catalog_...` beside the log's."""

    tracking_table = "catalog_tracking"

    def __init__(self, backend: LogStore) -> None:
        datastore = backend.factory.datastore  # type: ignore[attr-defined]
        PostgresTrackingRecorder.__init__(self, datastore, tracking_table_name=self.tracking_table)
        self.explain = backend.explain
        self._backend, self._prefix = backend, f'"{datastore.schema}".'

    def dialect(self, text: str) -> str:
        text = text.replace("{s}", self._prefix).replace("{c}", ' COLLATE "C"').replace("{w}", "")
        return text.replace("{t}", self.tracking_table).replace("?", "%s")

    def cursor(self, *, commit: bool) -> AbstractContextManager[Any]:
        return self.datastore.transaction(commit=commit)

    def track(self, c: Any, position: int) -> None:
        self._insert_tracking(c, Tracking(NAME, position))

    def patiently(self, job: Callable[[], T]) -> T:
        done: T = _again(job)()
        return done

    def create_table(self) -> None:
        PostgresTrackingRecorder.create_table(self)

    def _create_table(self, curs: Any) -> None:
        curs.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
        super()._create_table(curs)
        self.lay_out(curs)

    def close(self) -> None:
        self._backend.factory.close()


def open_catalog(settings: LogSettings) -> Store:
    """The catalog beside the log that *settings* name, made if there is none."""
    store = PostgresStore(open_postgres(settings, create=True))
    try:
        store.make()
    except LogError:
        store.close()
        raise
    return store
