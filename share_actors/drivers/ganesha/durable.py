"""Files that are replaced in one step and are on disk afterwards."""

from __future__ import annotations

import os
from pathlib import Path

from share_actors.drivers.filesystem.durable import put_file, sync_directory, write_file


def write_durably(path: Path, text: str) -> None:
    """Replace *path* by a file with *text*; after a crash it has the old text or the new one."""
    put_file(path, text.encode())


def overwrite_durably(path: Path, text: str) -> None:
    """Make *text*, ASCII of one length in all calls and far below a sector, the content of *path*."""
    if not path.exists():
        write_durably(path, text)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(fd, text.encode("ascii"), 0)
        os.ftruncate(fd, len(text))
        os.fdatasync(fd)
    finally:
        os.close(fd)


def write_synced(path: Path, text: str) -> None:
    """Write *text* to *path*, readable by its owner alone, and wait until the content is on disk."""
    write_file(path, text.encode())


def move_durably(source: Path, target: Path) -> None:
    """Rename *source* to *target* in one step, and wait until the new name is on disk."""
    source.replace(target)
    sync_directory(target.parent)


def remove_durably(path: Path) -> None:
    """Remove *path*, and wait until the removal is on disk; succeeds for one that does not exist."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)
