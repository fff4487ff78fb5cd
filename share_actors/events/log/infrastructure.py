"""The `eventsourcing` infrastructure of a log, configured by our settings alone."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import ApplicationRecorder, Compressor, InfrastructureFactory
from eventsourcing.sqlite import SQLiteFactory
from eventsourcing.utils import Environment

from share_actors.config import LogSettings
from share_actors.errors import ConfigError
from share_actors.events.log.archived_rows import ReadArchived, nothing_archived, stored_reader
from share_actors.events.log.codec import Codec
from share_actors.events.log.compression import DictionaryCompressor
from share_actors.events.log.sqlite import file as sqlite_file
from share_actors.events.log.sqlite.recorder import ChunkedRecorder, DurablePool
from share_actors.events.subjects.sealing import RecordSealer

Factory = InfrastructureFactory[Any]
Row = tuple[int, str, int, str, bytes]
"""An event as it is stored: its position, stream and version, its topic and its bytes."""


def rows_after(recorder: ApplicationRecorder, position: int, limit: int) -> list[Row]:
    """Return at most *limit* rows after *position*, in their order, as every recorder has them."""
    found = recorder.select_notifications(position, limit, inclusive_of_start=False)
    return [(r.id, str(r.originator_id), r.originator_version, r.topic, r.state) for r in found]


class LogStore(NamedTuple):
    """The storage of a log: its factory of recorders, the messages for its errors, and its removed events."""

    factory: Factory
    explain: Callable[[Exception], str]
    archived: ReadArchived = nothing_archived
    rows_after: Callable[[Any, int, int], list[Row]] = rows_after
    """As the function of this name, of one of its recorders."""


def open_sqlite(settings: LogSettings, path: Path, *, create: bool) -> LogStore:
    """Open and check the file at *path*; create it if it is missing and *create* is true."""
    check_packages(settings)
    sqlite_file.prepare(
        path, lambda new: create_tables(_sqlite(settings, new, create=True)), create=create
    )
    factory = _sqlite(settings, path, create=False)
    archived = stored_reader(factory)
    return LogStore(
        factory, lambda error: _explain(path, error), archived, ChunkedRecorder.rows_after
    )


def _sqlite(settings: LogSettings, path: Path, *, create: bool) -> Factory:
    name = {"SQLITE_DBNAME": sqlite_file.uri(path)}
    factory = construct("eventsourcing.sqlite", settings, name, create=create)
    assert isinstance(factory, SQLiteFactory)
    factory.application_recorder_class = ChunkedRecorder
    factory.datastore.pool = DurablePool(
        db_name=sqlite_file.uri(path),
        lock_timeout=settings.lock_timeout_s,
        pool_timeout=settings.lock_timeout_s + 5.0,
    )
    return factory


def _explain(path: Path, error: Exception) -> str:
    message = str(error)
    if "full" in message:
        advice = f"free space on the file system of {path.parent}, then repeat the request"
    elif "locked" in message:
        advice = "another process writes for longer than log.lock_timeout_s; repeat the request"
    else:
        advice = "check that the file exists and is complete, readable and writable"
    return f"log.path {path}: {message}: {advice}"


# -- for both kinds of log -----------------------------------------------------------------------
def construct(
    module: str, settings: LogSettings, environment: dict[str, str], *, create: bool
) -> Factory:
    """Build a factory of the library's *module* from *environment* alone, not the process's environment."""
    common = common_environment(module, settings, create=create)
    return InfrastructureFactory.construct({**common, **environment})


def common_environment(module: str, settings: LogSettings, *, create: bool) -> dict[str, str]:
    """Return the library's settings that every kind of store has."""
    common = {
        "PERSISTENCE_MODULE": module,
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "yes" if create else "no",
    }
    if (compressor := _compressor_class(settings)) is not None:
        common["COMPRESSOR_TOPIC"] = f"{compressor.__module__}:{compressor.__qualname__}"
    if settings.cipher_key is not None:
        common["CIPHER_TOPIC"] = "eventsourcing.cryptography:AESCipher"
        common["CIPHER_KEY"] = settings.cipher_key.get_secret_value()
    return common


def _compressor_class(settings: LogSettings) -> type[Compressor] | None:
    """The class that compresses what is written, if anything does."""
    if not settings.compress:
        return None
    return DictionaryCompressor if settings.compress == "dictionary" else ZlibCompressor


def codec_of(settings: LogSettings, subjects: RecordSealer | None = None) -> Codec:
    """A codec that reads and writes the rows of a log as *settings* say, without opening one."""
    compressor_class = _compressor_class(settings)
    compressor = None if compressor_class is None else compressor_class()
    if settings.cipher_key is None:
        return Codec(None, compressor, subjects=subjects)
    from eventsourcing.cryptography import AESCipher  # noqa: PLC0415 - an optional package

    key = {"CIPHER_KEY": settings.cipher_key.get_secret_value()}
    return Codec(AESCipher(Environment(env=key)), compressor, subjects=subjects)


def create_tables(factory: Factory) -> None:
    """Create the tables, and close *factory*."""
    try:
        factory.application_recorder()
        factory.aggregate_recorder("snapshots")
    finally:
        factory.close()


def check_packages(settings: LogSettings) -> None:
    """Raise `ConfigError` if *settings* need a package that is not installed."""
    if settings.kind == "postgresql":
        for module in ("psycopg", "psycopg_pool"):
            require(module, "postgresql", "log.kind is postgresql")
    if settings.cipher_key is not None:
        require("cryptography", "encryption", "log.cipher_key is set")


def require(module: str, extra: str, reason: str) -> None:
    """Raise `ConfigError` if *module* is not installed: it names *extra*, and *reason* as what needs it."""
    try:
        import_module(module)
    except ImportError:
        raise ConfigError(
            f"{reason}, and the package {module} is missing: pip install share-actors[{extra}]",
            field=reason.partition(" ")[0],
        ) from None
