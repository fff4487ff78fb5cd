"""Whether a configuration's log and catalog could be opened, without making or changing either."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from share_actors.config import Config
from share_actors.errors import ConfigError
from share_actors.events.catalog import sqlite
from share_actors.events.log import Log, sqlite_file
from share_actors.events.log.infrastructure import check_packages
from share_actors.events.log.postgres import is_still_to_be_made


def check(config: Config) -> int | None:
    """How many events the log holds; None if there is no log yet, and it can be made.

    Raises `ConfigError` or `LogError` for what the system would stumble over when it starts. A log
    that was not closed in order is put in order by SQLite, as whenever it is opened.
    """
    check_packages(config.log)
    if config.log.kind == "postgresql":
        return None if is_still_to_be_made(config.log) else _events(config)
    _check_catalog(config.catalog_file, config.log_path)
    if os.path.lexists(config.log_path):
        return _events(config)
    check_directory("log.path", config.log_path.parent)
    return None


def _events(config: Config) -> int:
    with closing(Log.open(config.log, config.log_path, create=False)) as log:
        return log.head()


def check_directory(key: str, directory: Path) -> None:
    """Raise `ConfigError` unless files can be made in *directory*, which may be missing itself."""
    there = directory.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        why = f"{there} is not a directory"
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        why = f"this user may not write in {there}"
    else:
        return
    raise ConfigError(
        f"configuration key {key}: {directory} can't be used: {why}",
        field=key,
        value=str(directory),
    )


def _check_catalog(path: Path, log: Path) -> None:
    """What is there must be a catalog; one that is damaged inside is found when it is opened."""
    check_directory("catalog_path", path.parent)
    why = "is the log's own file" if path.absolute() == log.absolute() else _no_catalog(path)
    if why:
        raise ConfigError(
            f"configuration key catalog_path: {path} {why}", field="catalog_path", value=str(path)
        )


def _no_catalog(path: Path) -> str:
    try:
        with path.open("r+b") as file:  # for writing too, to see that this is permitted
            header = file.read(100)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"can't be used: {error.strerror}"
    if header and not header.startswith(sqlite_file.MAGIC):
        return "is not a database; delete it, or name another file"
    if int.from_bytes(header[68:72], "big") not in (0, sqlite.APPLICATION_ID):
        return "is the database of another application; name a file of its own"
    return ""
