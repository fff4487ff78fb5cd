"""The export files of a unit: one for each export, and the number of the last export id."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from share_actors.drivers.base import DriverError
from share_actors.drivers.ganesha.durable import (
    move_durably,
    overwrite_durably,
    remove_durably,
    write_synced,
)
from share_actors.drivers.ganesha.rendering import (
    HEADER,
    ExportRecord,
    checked_name,
    export_file,
    is_name,
)
from share_actors.drivers.ganesha.settings import GaneshaFiles

logger = logging.getLogger(__name__)
_SUFFIX = ".conf"
_SLASH = "+"
"""In place of `/` in file names; names of exports do not contain it."""
_MOST = 65535
Stamp = tuple[int, int, int, int]
"""Inode, size, time of the last change of content, time of the last change, of one file."""


class ExportFiles:
    """The export files of one unit; changed with the unit's change lock held."""

    def __init__(self, files: GaneshaFiles) -> None:
        self._files = files
        self._read: dict[Path, tuple[Stamp, str]] = {}
        """What `restored` found right: to read and check 1,000 files takes half a second."""
        self._read_at: Stamp | None = None
        """The directory of exports when all its files had been read."""

    def path(self, name: str) -> Path:
        """The permanent file of the export *name*."""
        return self._files.exports / self._file_name(name)

    def pending(self, name: str) -> Path:
        """The file of the export *name* until the daemon has taken it."""
        return self._files.pending / self._file_name(name)

    def names(self) -> frozenset[str]:
        """The names of all exports on file."""
        try:
            found = os.listdir(self._files.exports)
        except FileNotFoundError:
            return frozenset()
        return frozenset(name for entry in found if (name := _name_of(entry)))

    def record(self, name: str) -> ExportRecord | None:
        """The export *name* as it is on file; None if there is no file, or none with a record."""
        try:
            text = self.path(name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        return _record_in(text, name)

    def records(self) -> tuple[ExportRecord, ...]:
        """All exports on file."""
        return tuple(record for _, _, record in self._all() if record is not None)

    def holds(self, record: ExportRecord) -> bool:
        """Whether the permanent file is exactly that of *record*."""
        try:
            return self.path(record.name).read_text(encoding="utf-8") == export_file(record)
        except (FileNotFoundError, UnicodeDecodeError):
            return False

    def propose(self, record: ExportRecord) -> Path:
        """Write the pending file of *record*; raises `ValueError` for what cannot be written."""
        path = self.pending(record.name)
        write_synced(path, export_file(record))
        return path

    def make_permanent(self, name: str) -> None:
        """Replace the file of the export *name* by the pending one."""
        move_durably(self.pending(name), self.path(name))

    def remove(self, name: str) -> None:
        """Remove the files of the export *name*."""
        self.pending(name).unlink(missing_ok=True)
        remove_durably(self.path(name))

    def new_id(self) -> int:
        """An id that no export on file has, the next in turn; it is recorded as used.

        Raises `DriverError` if all are in use.
        """
        last, wrapped = self._last_id()
        used = self._used_ids() if wrapped else set()
        for step in range(_MOST):
            number = (last + step) % _MOST + 1
            if number not in used:
                wrapped = wrapped or number == _MOST
                word = "wrapped" if wrapped else "first  "
                overwrite_durably(self._files.last_id, f"{number:05} {word}\n")
                return number
        raise DriverError(
            f"all {_MOST} export ids of NFS-Ganesha in {self._files.directory} are in use; nothing was"
            " changed. Delete exports, or use a second unit"
        )

    def damage(self) -> tuple[str, ...]:
        """What is wrong with the export files, one sentence each."""
        return tuple(
            f"the file {path} is not as it was written: {_cause(record)}"
            for path, text, record in self._all()
            if record is None or text != export_file(record)
        )

    def restored(self) -> str:
        """All exports in one text, for the daemon's start; files that were edited by hand are written anew.

        A file without a record is moved to the directory `damaged`.
        """
        known, self._read = self._read, {}
        return "".join(self._restore(path, known) for path in self._paths())

    def read_ahead(self, count: int) -> None:
        """Read at most *count* files that changed, for `restored`; quick if nothing has changed."""
        changed = _stamp(self._files.exports, stat.S_ISDIR)
        if changed == self._read_at:
            return
        for path in self._paths():
            if count == 0:
                return
            found = self._read.get(path)
            if found is None or found[0] != _stamp(path):
                self._keep(path)
                count -= 1
        self._read_at = changed

    def _restore(self, path: Path, known: Mapping[Path, tuple[Stamp, str]]) -> str:
        """The right text of the file *path*, which is put there; empty if it is no export file."""
        if path in known and known[path][0] == _stamp(path):
            self._read[path] = known[path]
            return known[path][1]
        text, record = self._keep(path)
        if text is None:
            return ""
        if record is None:
            logger.warning("%s is no export file: it is moved to %s", path, self._files.damaged)
            move_durably(path, self._files.damaged / path.name)
            return ""
        if path in self._read:
            return text
        logger.warning("%s was edited by hand: it is written anew", path)
        self.propose(record)
        self.make_permanent(record.name)
        return export_file(record)

    def _keep(self, path: Path) -> tuple[str | None, ExportRecord | None]:
        """Read the file *path*, and keep its text if it is as it was written."""
        stamp = _stamp(path)
        text, record = _content(path)
        if stamp and text and record and text == export_file(record):
            self._read[path] = stamp, text
        return text, record

    def _all(self) -> Iterator[tuple[Path, str, ExportRecord | None]]:
        """Each entry of the directory of exports: path, text, and the record if it is an export file."""
        for path in self._paths():
            text, record = _content(path)
            if text is not None:
                yield path, text, record

    def _paths(self) -> list[Path]:
        return sorted(self._files.exports.iterdir()) if self._files.exports.is_dir() else []

    def _file_name(self, name: str) -> str:
        return checked_name(name).replace("/", _SLASH) + _SUFFIX

    def _last_id(self) -> tuple[int, bool]:
        """The last id, and whether ids above it may be in use."""
        try:
            number, word = self._files.last_id.read_text(encoding="ascii").split()
            return int(number), word != "first"
        except (FileNotFoundError, ValueError):
            return max(self._used_ids(), default=0), False

    def _used_ids(self) -> set[int]:
        return {record.id for name in self.names() if (record := self.record(name)) is not None}


def _stamp(path: Path, is_kind: Callable[[int], bool] = stat.S_ISREG) -> Stamp | None:
    """What changes with the content of *path*; None if it is gone, or is not of the kind: a regular file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    if not is_kind(status.st_mode):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _content(path: Path) -> tuple[str | None, ExportRecord | None]:
    """The text of *path*, None if it was removed since, and the record if it is an export file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None, None
    except OSError:
        text = ""
    return text, _record_in(text, _name_of(path.name) or "")


def _name_of(entry: str) -> str | None:
    """The export whose file has the name *entry*; None if it is none of an export."""
    name = entry.removesuffix(_SUFFIX).replace(_SLASH, "/")
    return name if entry.endswith(_SUFFIX) and is_name(name) else None


def _cause(record: ExportRecord | None) -> str:
    if record is None:
        return "it has no record of an export, and the daemon will not read it when it starts again"
    return f"it will be written anew from its first line; export {record.name!r} again to do so now"


def _record_in(text: str, name: str) -> ExportRecord | None:
    """The record in the first line of *text*, if it is one of the export *name* that can be rendered."""
    line = text.partition("\n")[0]
    try:
        record = ExportRecord.model_validate_json(line.removeprefix(HEADER))
        export_file(record)
    except (ValidationError, ValueError):
        return None
    return record if record.name == name else None
