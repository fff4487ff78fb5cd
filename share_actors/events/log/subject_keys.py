"""The keys of data subjects that belong to a log: a directory, or a table beside a PostgreSQL log."""

from __future__ import annotations

from pathlib import Path

from share_actors.config import Config, LogSettings
from share_actors.events.subjects.directory import KeyDirectory
from share_actors.events.subjects.keys import KeyRing
from share_actors.events.subjects.sealing import RecordSealer
from share_actors.events.subjects.store import KeyStore


def key_store(settings: LogSettings, directory: Path) -> KeyStore:
    """The key store of the log of *settings*; *directory* is that of a SQLite log."""
    if settings.kind == "sqlite":
        return KeyDirectory(directory)
    from share_actors.events.log.postgres.subject_keys import (  # noqa: PLC0415 - an optional package
        PostgresKeys,
    )

    return PostgresKeys(settings)


def record_sealer(config: Config, *, strict: bool = True) -> RecordSealer:
    """The sealer of the records of *config*'s log; nothing is read or created before its first use."""
    store = key_store(config.log, config.subject_keys_path)
    return RecordSealer(KeyRing(store), config.erasure.seal, strict=strict)


def record_opener(settings: LogSettings, directory: Path) -> RecordSealer:
    """Opens the records of a log that may be a copy: texts whose keys are missing are shown as such."""
    return RecordSealer(KeyRing(key_store(settings, directory)), strict=False)
