"""A new SQLite log, which appears under its name when it is complete: a kill before that leaves no file.

Only its owner may read it, as every log.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from share_actors.durable_files import sync_directory, sync_file
from share_actors.errors import LogError
from share_actors.scratch import scratch_beside


@contextmanager
def new_log(path: Path, field: str) -> Iterator[Path]:
    """Where to write the log that gets the name *path* at the end of the block; connections are closed then.

    Raises `LogError` if *path* exists by then, another process is making it, or it cannot be written.
    """
    with ExitStack() as stack:
        with _errors(path, field):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = stack.enter_context(scratch_beside(path)) / path.name
        yield new
        with _errors(path, field):
            with closing(sqlite3.connect(new)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            new.chmod(0o600)  # however it was written; nobody else reaches it before
            sync_file(new)
            os.link(new, path)
            sync_directory(path.parent)


@contextmanager
def _errors(path: Path, field: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LogError(
            f"{path}: cannot be written: {reason}; nothing was changed; choose another file",
            field=field,
            value=str(path),
        ) from None
