"""Files that are replaced in one step and are on disk afterwards."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Replace *path* by a file with *text*; after a crash it has the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    write_synced(new, text)
    move_durably(new, path)


def write_synced(path: Path, text: str) -> None:
    """Write *text* to *path*, readable by its owner alone, and wait until the content is on disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def move_durably(source: Path, target: Path) -> None:
    """Rename *source* to *target* in one step, and wait until the new name is on disk."""
    source.replace(target)
    sync_directory(target.parent)


def remove_durably(path: Path) -> None:
    """Remove *path*, and wait until the removal is on disk; succeeds for one that does not exist."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Wait until the names in *directory* are on disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
