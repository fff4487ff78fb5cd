"""Logs of released versions, and the references that their own code wrote, from the SQL text in `logs`."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

_LOGS = Path(__file__).parent / "logs"
RELEASES = sorted(path.name.removesuffix(".db.sql") for path in _LOGS.glob("*.db.sql"))


@cache
def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="sa-released-logs-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


@cache
def _restored(name: str) -> Path:
    path = _directory() / name
    text = (_LOGS / f"{name}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
    return path


def log_of(release: str) -> Path:
    """The SQLite log of *release*; tests only read it."""
    return _restored(f"{release}.db")


def reference_of(release: str) -> Path:
    """The reference that *release* wrote of that log; tests only read it."""
    return _restored(f"{release}.reference")
