"""The library's infrastructure for each kind of log, built from our settings and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.sqlite import SQLiteFactory

from share_actors.config import LogSettings
from share_actors.errors import ConfigError
from share_actors.events import log_file
from share_actors.events.recorders import ChunkedRecorder, DurablePool

Factory = InfrastructureFactory[Any]


class Backend(NamedTuple):
    """Where events are kept, and how to speak of its errors."""

    factory: Factory
    explain: Callable[[Exception], str]


def open_sqlite(settings: LogSettings, path: Path, *, create: bool) -> Backend:
    """The file at *path*, checked, and made if there is none and *create*."""
    log_file.prepare(path, lambda new: _fill(settings, new), create=create)
    return Backend(_sqlite(settings, path, create_table="no"), lambda e: _explain(path, e))


def _explain(path: Path, error: Exception) -> str:
    said = str(error)
    if "full" in said:
        advice = f"free space on the file system of {path.parent}, then ask again"
    elif "locked" in said or "busy" in said:
        advice = "another process writes for longer than log.lock_timeout_s; ask again"
    else:
        advice = "see that the file is there, whole and writable"
    return f"log.path {path}: {said}: {advice}"


def _fill(settings: LogSettings, path: Path) -> None:
    factory = _sqlite(settings, path, create_table="yes")
    try:
        factory.application_recorder()
        factory.aggregate_recorder("snapshots")
    finally:
        factory.close()


def _sqlite(settings: LogSettings, path: Path, *, create_table: str) -> Factory:
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": log_file.uri(path),
        "CREATE_TABLE": create_table,
        **_common(settings),
    }
    factory = _construct(environment)
    assert isinstance(factory, SQLiteFactory)
    factory.application_recorder_class = ChunkedRecorder
    factory.datastore.pool = DurablePool(
        db_name=log_file.uri(path),
        lock_timeout=settings.lock_timeout_s,
        pool_timeout=settings.lock_timeout_s + 5.0,
    )
    return factory


def _common(settings: LogSettings) -> dict[str, str]:
    environment = {"ORIGINATOR_ID_TYPE": "text"}
    if settings.compress:
        environment["COMPRESSOR_TOPIC"] = "eventsourcing.compressor:ZlibCompressor"
    if settings.cipher_key is not None:
        _require("cryptography", extra="encryption", because="log.cipher_key is set")
        environment["CIPHER_TOPIC"] = "eventsourcing.cryptography:AESCipher"
        environment["CIPHER_KEY"] = settings.cipher_key.get_secret_value()
    return environment


def _require(*modules: str, extra: str, because: str) -> None:
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            raise ConfigError(
                f"{because}, which needs the package {module}: pip install share-actors[{extra}]",
                field="log",
            ) from None


def _construct(environment: dict[str, str]) -> Factory:
    return InfrastructureFactory.construct(environment)


def open_postgres(settings: LogSettings, *, create: bool) -> Backend:
    raise NotImplementedError
