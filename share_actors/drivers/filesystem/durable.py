"""Replacing small files so that a crash leaves the old content or the new one, never a part of it."""

from __future__ import annotations

import os
from pathlib import Path


def put_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace the file *path* by *content*; it is on disk when this returns. Raises `OSError`.

    The caller has a lock: two writers at once would share the temporary file `NAME.new`.
    """
    new = path.with_name(f"{path.name}.new")
    write_file(new, content, mode)
    new.rename(path)
    sync_directory(path.parent)


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write the file *path*, whose content is on disk when this returns. Raises `OSError`."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(fd, "wb") as file:
        os.fchmod(fd, mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(fd)


def sync_directory(path: Path) -> None:
    """Make the entries of the directory *path* durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
