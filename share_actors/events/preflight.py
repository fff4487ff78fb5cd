"""Check that a configuration's log and catalog can be opened, without creating or changing either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

from share_actors.config import Config
from share_actors.errors import ConfigError
from share_actors.events import backend
from share_actors.events.catalog import sqlite
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.remote import open_checkpoints
from share_actors.events.log import Log
from share_actors.events.log.infrastructure import check_packages
from share_actors.events.log.postgres.store import is_still_to_be_created
from share_actors.events.log.sqlite import file as sqlite_file
from share_actors.events.log.subject_keys import record_sealer


def check(config: Config) -> int | None:
    """Return the number of events in the log; None if there is no log yet and one can be created.

    Raises `ConfigError` or `LogError` for whatever would keep the system from starting. SQLite recovers
    a log that was not closed properly, as on every opening.
    """
    check_packages(config.log)
    _check_audit(config)
    if config.log.kind == "postgresql":
        return None if is_still_to_be_created(config.log) else _event_count(config)
    _check_catalog(config.catalog_file, config.log_path)
    if os.path.lexists(config.log_path):
        return _event_count(config)
    check_directory("log.path", config.log_path.parent)
    return None


def _check_audit(config: Config) -> None:
    """Raise `ConfigError` if checkpoints can't be written, or their key can't be read or created."""
    if config.audit.checkpoints is None:
        return
    if isinstance(config.audit.checkpoints, Path):
        check_directory("audit.checkpoints", config.audit.checkpoints)
    else:
        open_checkpoints(config.audit.checkpoints)
    if config.audit_signer_file.exists():
        SigningKey.load(config.audit_signer_file, config.audit_origin)
    else:
        check_directory("audit.signer_file", config.audit_signer_file.parent)


def _event_count(config: Config) -> int:
    subjects = record_sealer(config)
    with closing(Log.open(config.log, config.log_path, create=False, subjects=subjects)) as log:
        return log.head()


def moved_backends(config: Config) -> dict[str, str]:
    """The Ray resource that each backend was moved to, by name, if *config* names the one it was moved from.

    The log exists. Raises `LogError`.
    """
    pinned = {name: settings.node for name, settings in config.backends.items() if settings.node}
    if not pinned:
        return {}
    subjects, moved = record_sealer(config), {}
    with closing(Log.open(config.log, config.log_path, create=False, subjects=subjects)) as log:
        for name, node in pinned.items():
            events: Iterator[Any] = (each.event for each in log.read(f"backend-{name}"))
            state = reduce(backend.evolve, events, backend.initial)
            if state.node is not None and state.moved_from == node:
                moved[name] = state.node
    return moved


def check_directory(key: str, directory: Path) -> None:
    """Raise `ConfigError` unless files can be created in *directory*, which need not exist yet."""
    existing = directory.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        reason = f"{existing} is not a directory"
    elif not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        reason = f"this user may not write in {existing}"
    else:
        return
    raise ConfigError(
        f"configuration key {key}: {directory} can't be used: {reason}",
        field=key,
        value=str(directory),
    )


def _check_catalog(path: Path, log: Path) -> None:
    """Raise `ConfigError` if another file is at *path*; a damaged catalog fails only when it is opened."""
    check_directory("catalog_path", path.parent)
    is_log = path.absolute() == log.absolute()
    reason = "is the log's own file" if is_log else _unusable_catalog(path)
    if reason:
        raise ConfigError(
            f"configuration key catalog_path: {path} {reason}",
            field="catalog_path",
            value=str(path),
        )


def _unusable_catalog(path: Path) -> str:
    """Return why the file at *path* is not a catalog; empty if it is one, or is missing."""
    try:
        with path.open("r+b") as file:  # also for writing, to check the permission
            header = file.read(100)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"can't be used: {error.strerror}"
    if header and not header.startswith(sqlite_file.MAGIC):
        return "is not a database; delete it, or choose another file"
    if int.from_bytes(header[68:72], "big") not in (0, sqlite.APPLICATION_ID):
        return "is the database of another application; choose another file"
    return ""
