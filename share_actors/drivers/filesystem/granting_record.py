"""How far a walk that applies access rules has come: a small file beside the share, out of users' reach."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.drivers.filesystem.copying import sync_filesystem
from share_actors.drivers.filesystem.own_files import read_record
from share_actors.drivers.filesystem.tree import DIRECTORY, Steps

logger = logging.getLogger(__name__)
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
    """The position in the file *path*; each is on disk before the walk goes on. Methods raise `OSError`.

    On a full disk the rules are still changed, without a position: users can fill the disk, and are denied.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f"{path.name}.new")

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
        if not self._write(position._asdict()):  # no walk goes on at a position of earlier rules
            self._discard()
            return super().begin(key)
        return position._replace(started=self._path.stat().st_mtime_ns)

    def save(self, tree: int, position: Position) -> None:
        """Save *position*, after the changes in the open directory *tree* are on disk."""
        sync_filesystem(tree)
        self._write(position._asdict())

    def finish(self, position: Position) -> None:
        """Keep the number of entries alone, for the progress of the next walk."""
        if not self._write({"expected": position.done}):
            self._discard()

    def _write(self, fields: dict[str, Any]) -> bool:
        """Replace the file; false, and a warning in the log, if the disk is full."""
        try:
            fd = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                json.dump(fields, file)
                file.flush()
                os.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            logger.warning("the change of access rules is not saved in %s: disk full", self._path)
            return False
        self._new.replace(self._path)
        self._sync()
        return True

    def _discard(self) -> None:
        for path in (self._new, self._path):
            path.unlink(missing_ok=True)
        self._sync()

    def _sync(self) -> None:
        directory = os.open(self._path.parent, DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
