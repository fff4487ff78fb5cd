"""Which of several NFS servers has which export: an empty file for each, in a directory for each server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from share_actors.drivers.filesystem.durable import sync_directory
from share_actors.drivers.filesystem.locks import locked

ASSIGNMENTS = "nfs-shares"
"""The directory of the assignments, beside those of the servers."""
LOCK = "instances.lock"
_SLASH = "+"
"""In place of `/` in file names; names of exports do not contain it."""


class Assignments:
    """The files DIRECTORY/NUMBER/NAME; changed with the lock held. Methods raise `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other thread or process change assignments, or start or end servers, in the block."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with locked(folder, LOCK):
                yield
        finally:
            os.close(folder)

    def numbers(self) -> list[int]:
        """The numbers of all servers that have ever had an export; the first one is always among them."""
        with suppress(FileNotFoundError):
            found = {int(name) for name in os.listdir(self._directory) if name.isdecimal()}
            return sorted(found | {1})
        return [1]

    def names(self, number: int) -> frozenset[str]:
        """The names of the exports of one server."""
        with suppress(FileNotFoundError):
            return frozenset(
                name.replace(_SLASH, "/") for name in os.listdir(self._directory / str(number))
            )
        return frozenset()

    def number(self, name: str) -> int | None:
        """The server of the export *name*; None if it has none."""
        return next((found for found in self.numbers() if self._path(found, name).exists()), None)

    def add(self, name: str, number: int) -> None:
        """Assign the export *name*, which has no server, to this one; it survives a power failure."""
        path = self._path(number, name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        sync_directory(path.parent)
        sync_directory(self._directory)

    def remove(self, name: str) -> None:
        """Assign the export *name* to no server."""
        for number in self.numbers():
            with suppress(FileNotFoundError):
                self._path(number, name).unlink()
                sync_directory(self._directory / str(number))

    def _path(self, number: int, name: str) -> Path:
        return self._directory / str(number) / name.replace("/", _SLASH)
