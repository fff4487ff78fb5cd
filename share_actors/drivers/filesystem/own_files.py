"""Files of a driver in directories that others can write to as well.

Entries may vanish between two steps, and there may be strays: copies by an editor, leftovers of interrupted
writes, `lost+found`, pipes, names in any encoding. An entry is the driver's own if it has a name that the
driver gives, and is of the kind that the driver makes.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

from share_actors.drivers.filesystem.ids import is_id

logger = logging.getLogger(__name__)
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def is_own_name(name: str) -> bool:
    """Whether *name* is an id, or two ids as in `SHARE@SNAPSHOT`."""
    return all(map(is_id, name.split("@", 1)))


def own_names(directory: Path | int, suffix: str = "") -> list[str]:
    """The names NAME of all entries NAME*suffix* of *directory* that can be the driver's, sorted."""
    names = [name for name in os.listdir(directory) if name.endswith(suffix)]
    return sorted(filter(is_own_name, (name.removesuffix(suffix) for name in names)))


def read_record(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file *path*; None if it is missing, or if no JSON object is there.

    Raises `OSError` if the file cannot be read.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        record = None  # a symbolic link, which the driver does not make
    else:
        record = _record_in(fd)
    if record is None:
        logger.warning("%r is ignored: it is not a file with a JSON object", str(path))
    return record


def _record_in(fd: int) -> dict[str, Any] | None:
    """The JSON object in the open file *fd*, which is closed; None if there is none."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        with open(fd, "rb", closefd=False) as file:
            return _parsed(file.read())
    finally:
        os.close(fd)


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text)
    except ValueError:  # also bytes that are not UTF-8
        return None
    return parsed if isinstance(parsed, dict) else None


def records(directory: Path) -> dict[str, dict[str, Any]]:
    """The records `NAME.json` in *directory* by name; leaves out what is not a record or cannot be read."""
    found: dict[str, dict[str, Any]] = {}
    for name in own_names(directory, ".json"):
        try:
            record = read_record(directory / f"{name}.json")
        except OSError as error:
            logger.warning("%r is ignored: %s", f"{directory}/{name}.json", error.strerror)
            continue
        if record is not None:
            found[name] = record
    return found
