"""How far a walk that applies access rules has come: a small file beside the share, out of users' reach."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.drivers.filesystem.acl import Grants, Principal
from share_actors.drivers.filesystem.copying import sync_filesystem
from share_actors.drivers.filesystem.own_files import read_record
from share_actors.drivers.filesystem.removal import remove_tree
from share_actors.drivers.filesystem.tree import DIRECTORY, Steps, opened_below

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
    before: tuple[tuple[int, int, int], ...] = ()
    """What the rules gave until then: the kind, the id and the permissions of each user and group."""
    path: Steps = ()
    """The directory that is being changed."""
    last: str = ""
    """The entry of that directory that was changed last; empty if none was."""


class Record:
    """The position of a walk that is not continued after an interruption."""

    links: Path | None = None
    """Where copies of files with several hard links are, out of users' reach; None: they are not copied."""

    def read(self, key: str) -> Position | None:
        """The position of an interrupted walk with *key*; None if there is none."""
        return None

    def begin(self, key: str, before: Grants) -> Position:
        """Forget other positions; the position of a new walk with *key*, instead of the rules *before*."""
        return Position(key, time.time_ns() - _CLOCK_NS, before=_encoded(before))

    def save(self, tree: int, position: Position) -> None:
        """Save *position*, after the changes in the open directory *tree* are on disk."""

    def finish(self, position: Position) -> None:
        """Note that the walk has ended."""


class SavedRecord(Record):
    """The position in the file *path*; each is on disk before the walk goes on. Methods raise `OSError`.

    On a full disk the rules are still changed, without a position: users can fill the disk, and are denied.
    """

    def __init__(self, path: Path, links: Path | None = None) -> None:
        self._path, self.links = path, links
        self._new = path.with_name(f"{path.name}.new")

    def read(self, key: str) -> Position | None:
        """The position of an interrupted walk with *key*; None if there is none."""
        fields = read_record(self._path) or {}
        try:
            steps = tuple((str(name), int(inode)) for name, inode in fields["path"])
            numbers = {field: int(fields[field]) for field in _NUMBERS}
            before = _encoded(_before(fields))
        except (KeyError, TypeError, ValueError):
            return None
        position = Position(
            str(fields.get("key")),
            before=before,
            path=steps,
            last=str(fields.get("last")),
            **numbers,
        )
        return position if position.key == key and position.started else None

    def begin(self, key: str, before: Grants) -> Position:
        """Forget other positions; the position of a new walk with *key*, instead of the rules *before*.

        The rules before a change that was interrupted count, too.
        """
        self._forget_links()
        fields = read_record(self._path) or {}
        with suppress(TypeError, ValueError):
            earlier = _before(fields)
            before = {p: before.get(p, 0) | earlier.get(p, 0) for p in (*before, *earlier)}
        expected = fields.get("expected", 0)
        position = Position(
            key, 0, expected if isinstance(expected, int) else 0, before=_encoded(before)
        )
        if not self._write(position._asdict()):  # no walk goes on at a position of earlier rules
            self._discard()
            return super().begin(key, before)
        return position._replace(started=self._path.stat().st_mtime_ns)

    def save(self, tree: int, position: Position) -> None:
        """Save *position*, after the changes in the open directory *tree* are on disk."""
        sync_filesystem(tree)
        self._write(position._asdict())

    def finish(self, position: Position) -> None:
        """Keep the number of entries alone, for the progress of the next walk."""
        self._forget_links()
        if not self._write({"expected": position.done}):
            self._discard()

    def _forget_links(self) -> None:
        if self.links is not None:
            with opened_below(self.links.parent) as folder:
                remove_tree(folder, self.links.name)

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


def _encoded(grants: Grants) -> tuple[tuple[int, int, int], ...]:
    return tuple((principal.tag, principal.id, perm) for principal, perm in grants.items())


def _before(fields: dict[str, Any]) -> dict[Principal, int]:
    """The rules before the change in *fields*; raises `TypeError` or `ValueError` if they cannot be read."""
    return {Principal(int(tag), int(i)): int(perm) for tag, i, perm in fields.get("before", ())}
