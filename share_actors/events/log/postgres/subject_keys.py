"""A key store in the schema of a PostgreSQL log, so that all nodes have the same keys."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log.postgres.errors import explain
from share_actors.events.log.postgres.store import login
from share_actors.events.subjects.keys import KEY_BYTES

if TYPE_CHECKING:
    import psycopg

_TIMEOUT_S = 5
_INDEX = "index"
_CREATE = "CREATE TABLE IF NOT EXISTS {t} (id text PRIMARY KEY, document text, marker text)"
_CREATE_CLOSING = "CREATE TABLE IF NOT EXISTS {closing} (id text PRIMARY KEY, mark text NOT NULL)"
_PUT = "INSERT INTO {t} (id, document) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING"
_MARK = (
    "INSERT INTO {t} (id, marker) VALUES (%s, %s)"
    " ON CONFLICT (id) DO UPDATE SET marker = coalesce({t}.marker, excluded.marker)"
)
_PUT_CLOSING = "INSERT INTO {closing} (id, mark) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING"
_KEY = "hashtextextended(%s || s::text, 0)"
_EACH = "FROM unnest(%s::int[]) AS s"
_HOLD = f"SELECT pg_try_advisory_lock_shared({_KEY}), s {_EACH}"
_RELEASE = f"SELECT pg_advisory_unlock_shared({_KEY}) {_EACH}"
_LOCK = f"SELECT pg_try_advisory_lock({_KEY}) {_EACH}"
_UNLOCK = f"SELECT pg_advisory_unlock({_KEY}) {_EACH}"
_COUNT = "SELECT count(*) FROM {t} WHERE marker IS NOT NULL"
_CHANGE = f"SELECT ({_COUNT}), (SELECT string_agg(id, ' ' ORDER BY id) FROM {{closing}})"
_DOCUMENTS = "SELECT id, document FROM {t} WHERE document IS NOT NULL AND id <> 'index'"


class PostgresKeys:
    """A `KeyStore` in the table `subject_keys`; it connects again after an error.

    Its locks are advisory ones of the session, so a lost connection frees them.
    """

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._table = f"{settings.schema_name}.subject_keys"
        self._closing = f"{settings.schema_name}.subjects_closing"
        place = f"{settings.host}:{settings.port}/{settings.database}"
        self.where = f"{place}, table {self._table}"
        self._connected: psycopg.Connection | None = None
        self.session = 0
        self._exists, self._marks_exist, self._lock = False, False, RLock()

    def index_key(self, *, create: bool) -> bytes | None:
        """See `KeyStore`."""
        with self._errors():
            if create and not self._is_there():
                self._execute(_CREATE)
                self._execute(_CREATE_CLOSING)
            if create:
                self._execute(_PUT, _INDEX, b64encode(os.urandom(KEY_BYTES)).decode())
            rows = self._rows("SELECT document FROM {t} WHERE id = %s", _INDEX)
            if not rows:  # most systems seal nothing, and keep no connection
                self.close()
        return b64decode(rows[0][0]) if rows else None

    def read(self, subject_ids: Sequence[str]) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            return dict(self._rows(f"{_DOCUMENTS} AND id = ANY(%s)", list(subject_ids)))

    def create(self, subject_id: str, document: str) -> str:
        """See `KeyStore`."""
        with self._errors():
            self._execute(_PUT, subject_id, document)
            rows = self._rows("SELECT document FROM {t} WHERE id = %s", subject_id)
        return str(rows[0][0] or "")

    def markers(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            return dict(self._rows("SELECT id, marker FROM {t} WHERE marker IS NOT NULL"))

    def mark_forgotten(self, subject_id: str, marker: str) -> None:
        """See `KeyStore`."""
        with self._errors():
            self._execute(_MARK, subject_id, marker)

    def destroy(self, subject_id: str) -> None:
        """Remove the key, and write the table anew, since a row that is gone stays in its page.

        The server's write-ahead log has the key until its segments are used again.
        """
        with self._errors():
            self._execute("UPDATE {t} SET document = NULL WHERE id = %s", subject_id)
            self._execute("VACUUM FULL {t}")

    def documents(self) -> Iterator[tuple[str, str]]:
        """See `KeyStore`."""
        with self._errors():
            rows = self._rows(f"{_DOCUMENTS} ORDER BY id")
        yield from rows

    def change(self) -> object:
        """See `KeyStore`: the number of markers, and the marks."""
        with self._errors():
            rows = self._rows(_CHANGE if self._has_marks() else _COUNT)
        return rows[0] if rows else None

    # -- being forgotten ---------------------------------------------------------------------------
    def closing(self) -> Mapping[str, str]:
        """See `KeyStore`."""
        with self._errors():
            return dict(self._rows("SELECT id, mark FROM {closing}") if self._has_marks() else ())

    def mark_closing(self, subject_id: str, mark: str) -> None:
        """See `KeyStore`."""
        with self._errors():
            self._execute(_CREATE_CLOSING)
            self._execute(_PUT_CLOSING, subject_id, mark)

    def unmark_closing(self, subject_id: str) -> None:
        """See `KeyStore`."""
        with self._errors():
            if self._has_marks():
                self._execute("DELETE FROM {closing} WHERE id = %s", subject_id)

    def ping(self) -> None:
        """See `KeyStore`."""
        import psycopg  # noqa: PLC0415 - an optional package

        with self._errors():
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError:
                self.close()
                self._execute("SELECT 1")

    def hold(self, stripes: Collection[int]) -> bool:
        """See `KeyStore`."""
        with self._errors():
            found = self._rows(_HOLD, self._table, list(stripes))
            held = [stripe for is_held, stripe in found if is_held]
            if len(held) < len(found):
                self.release(held)
                return False
        return True

    def release(self, stripes: Collection[int]) -> None:
        """See `KeyStore`."""
        if stripes:
            with self._errors():
                self._rows(_RELEASE, self._table, list(stripes))

    def lock(self, stripe: int) -> bool:
        """See `KeyStore`."""
        with self._errors():
            return all(is_held for (is_held,) in self._rows(_LOCK, self._table, [stripe]))

    def unlock(self, stripe: int) -> None:
        """See `KeyStore`."""
        with self._errors():
            self._rows(_UNLOCK, self._table, [stripe])

    # -- inside ------------------------------------------------------------------------------------
    def _is_there(self) -> bool:
        self._exists = self._exists or self._has_table(self._table)
        return self._exists

    def _has_marks(self) -> bool:
        """Whether there is the table of marks, which stores of earlier versions lack until the first mark."""
        self._marks_exist = self._marks_exist or self._has_table(self._closing)
        return self._marks_exist

    def _has_table(self, name: str) -> bool:
        row = self._execute("SELECT to_regclass(%s)", name).fetchone()
        return row is not None and row[0] is not None

    def _rows(self, query: str, *parameters: Any) -> list[Any]:
        return self._execute(query, *parameters).fetchall() if self._is_there() else []

    def _execute(self, query: str, *parameters: Any) -> psycopg.Cursor[Any]:
        """Run *query*, which consists of our own texts and the checked name of the schema."""
        if self._connected is None or self._connected.closed:
            self._connected = self._connect()
            self.session += 1
        return self._connected.execute(self._with_names(query), parameters)

    def _with_names(self, query: str) -> bytes:
        return query.replace("{t}", self._table).replace("{closing}", self._closing).encode()

    def _connect(self) -> psycopg.Connection:
        from share_actors.events.log.postgres.connection import (  # noqa: PLC0415 - an optional package
            connection_class,
        )

        return connection_class(_TIMEOUT_S).connect(
            **login(self._settings, f"statement_timeout={_TIMEOUT_S}s"),
            connect_timeout=_TIMEOUT_S,
            application_name="share-actors subjects",
            autocommit=True,
        )

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()
            self._connected = None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import psycopg  # noqa: PLC0415 - an optional package

        with self._lock:
            try:
                yield
            except psycopg.Error as error:
                self.close()
                raise LogError(
                    f"the keys of data subjects can't be read or written: {explain(self._settings, error)}",
                    field="log.host",
                    value=self.where,
                ) from error
