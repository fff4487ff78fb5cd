"""A file that a command writes: a new one, which appears under its name when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TextIO, cast

from share_actors.errors import InvalidRequest


@contextmanager
def new_file(path: Path, option: str) -> Iterator[TextIO]:
    """The file *path* of *option*; raises `InvalidRequest` if it exists or cannot be written."""
    if os.path.lexists(path):
        raise InvalidRequest(
            f"--{option}: {path} exists; it was not changed: choose a new name",
            field=option,
            value=str(path),
        )
    try:
        with NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name[:80]}.", encoding="utf-8", newline=""
        ) as file:
            yield cast("TextIO", file)
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"--{option}: {path} cannot be written: {error}", field=option, value=str(path)
        ) from None
