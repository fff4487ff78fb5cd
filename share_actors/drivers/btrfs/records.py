"""Small files about shares, outside the filesystem of the shares: what a crash must not lose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.filesystem.own_files import own_names, read_record

CLIENTS = "@clients"
"""The clients of a share whose export was removed for a time."""
REVERT = "@revert"
"""How far the last revert of a share is."""

PROTOCOL = "@protocol"
"""The protocol of a share that is not exported over NFS: {"protocol": "CIFS"}."""


class ShareRecords:
    """JSON objects in *directory*, one file a share and kind. Methods raise `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, name: str, kind: str) -> dict[str, Any] | None:
        """The record; None if there is none."""
        return read_record(self._directory / f"{name}{kind}")

    def write(self, name: str, kind: str, record: Mapping[str, Any]) -> None:
        """Replace the record; it survives a power failure."""
        put_file(self._directory / f"{name}{kind}", json.dumps(record).encode())

    def remove(self, name: str, kind: str) -> None:
        """Remove the record, and what an interrupted `write` left."""
        for suffix in (kind, f"{kind}.new"):
            with suppress(FileNotFoundError):
                (self._directory / f"{name}{suffix}").unlink()

    def has_any(self, name: str, kind: str) -> bool:
        """Whether there is a record, or what an interrupted `write` left."""
        return any(
            (self._directory / f"{name}{suffix}").exists() for suffix in (kind, f"{kind}.new")
        )

    def names(self, kind: str) -> list[str]:
        """The shares that have a record of this kind."""
        return own_names(self._directory, kind)
