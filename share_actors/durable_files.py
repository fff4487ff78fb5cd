"""Files that survive a power failure: written at once, and their names made durable in the directory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make the names in the directory *path* durable: files that were created, replaced or removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of a file that is closed durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write the file at once and durably: a crash leaves the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def create_file(path: Path, content: bytes) -> bool:
    """Create the file with mode 0600, at once and durably; returns False if there is one already.

    Missing directories are created with mode 0700. Of several processes, one succeeds.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = _opened(path)
    created = False
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            with suppress(FileExistsError):  # another process created it first
                os.link(temporary or f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
                created = True
    finally:
        if temporary is not None:
            os.unlink(temporary)
    sync_directory(path.parent)
    return created


def _opened(path: Path) -> tuple[int, str | None]:
    """A file without a name, so that a kill leaves none; one with a name where there are no such files."""
    with suppress(OSError):
        flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
        return os.open(path.parent, flags, 0o600), None
    return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
