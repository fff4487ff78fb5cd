"""A file that a command writes: a new one, which appears under its name when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from share_actors.durable_files import sync_directory
from share_actors.errors import InvalidRequest
from share_actors.scratch import clear_beside, scratch_beside


@contextmanager
def new_file(path: Path, option: str) -> Iterator[TextIO]:
    """The file *path* of *option*; raises `InvalidRequest` if it exists or cannot be written."""
    if os.path.lexists(path):
        clear_beside(path)
        raise InvalidRequest(
            f"--{option}: {path} exists; it was not changed: choose a new name",
            field=option,
            value=str(path),
        )
    try:
        with scratch_beside(path) as scratch:
            new = scratch / "new"
            with open(new, "x", encoding="utf-8", newline="", opener=_private) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.link(new, path)
        sync_directory(path.parent)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"--{option}: {path} cannot be written: {error}", field=option, value=str(path)
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
