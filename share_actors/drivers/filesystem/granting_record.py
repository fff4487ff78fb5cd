"""How far a walk that applies access rules has come: a small file beside the share, out of users' reach."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.drivers.filesystem.copying import sync_filesystem
from share_actors.drivers.filesystem.own_files import read_record
from share_actors.drivers.filesystem.tree import DIRECTORY, Steps

_NUMBERS = ("started", "expected", "done", "linked")
_CLOCK_NS = 1_000_000_000  # more than the resolution of times of files


class Position(NamedTuple):
    """A position in a walk: every entry before it is changed."""

    key: str
    """The grants and the directory of the walk."""
    started: int
    """When the walk began, in nanoseconds, by the clock of the filesystem."""
    expected: int = 0
    """The number of entries of the last complete walk; 0 if there is none."""
    done: int = 0
    """The number of entries that are changed."""
    linked: int = 0
    """The number of files that are not changed, because they have several hard links."""
    path: Steps = ()
    """The directory that is being changed."""
    last: str = ""
    """The entry of that directory that was changed last; empty if none was."""


class Record:
    """The position of a walk that is not continued after an interruption."""

    def read(self, key: str) -> Position | None:
        """The position of an interrupted walk with *key*; None if there is none."""
        return None

    def begin(self, key: str) -> Position:
        """Forget other positions; the position of a new walk with *key*."""
        return Position(key, time.time_ns() - _CLOCK_NS)

    def save(self, tree: int, position: Position) -> None:
        """Save *position*, after the changes in the open directory *tree* are on disk."""

    def finish(self, position: Position) -> None:
        """Note that the walk has ended."""


class SavedRecord(Record):
    """The position in the file *path*; each is on disk before the walk goes on. Methods raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, key: str) -> Position | None:
        """The position of an interrupted walk with *key*; None if there is none."""
        fields = read_record(self._path) or {}
        try:
            steps = tuple((str(name), int(inode)) for name, inode in fields["path"])
            numbers = {field: int(fields[field]) for field in _NUMBERS}
        except (KeyError, TypeError, ValueError):
            return None
        position = Position(
            str(fields.get("key")), path=steps, last=str(fields.get("last")), **numbers
        )
        return position if position.key == key and position.started else None

    def begin(self, key: str) -> Position:
        """Forget other positions; the position of a new walk with *key*."""
        expected = (read_record(self._path) or {}).get("expected", 0)
        position = Position(key, 0, expected if isinstance(expected, int) else 0)
        self._write(position._asdict())  # durably: no walk goes on at a position of earlier rules
        return position._replace(started=self._path.stat().st_mtime_ns)

    def save(self, tree: int, position: Position) -> None:
        """Save *position*, after the changes in the open directory *tree* are on disk."""
        sync_filesystem(tree)
        self._write(position._asdict())

    def finish(self, position: Position) -> None:
        """Keep the number of entries alone, for the progress of the next walk."""
        self._write({"expected": position.done})

    def _write(self, fields: dict[str, Any]) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(fd)
        new.replace(self._path)
        directory = os.open(self._path.parent, DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
