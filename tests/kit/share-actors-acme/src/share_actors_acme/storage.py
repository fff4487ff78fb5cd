"""The storage: a directory and a record for each share. Put the calls of your system here."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from pydantic import BaseModel, ConfigDict
from share_actors.drivers.filesystem.ids import checked_id

Access = tuple[str, str, str]
"""The type of a rule, whom it lets in, and its level: ("user", "alice", "rw")."""

LOCKS = 64
"""How many shares can be changed at once, at most: the files of the locks stay."""


class Record(BaseModel):
    """What is stored of a share. It exists as long as its record does."""

    model_config = ConfigDict(frozen=True)

    id: str
    size: int
    """In GiB."""
    access: tuple[Access, ...] = ()


class Storage:
    """The shares below *root*. Each method may be called again, also after a death within it."""

    def __init__(self, root: Path) -> None:
        self._data, self._records = root / "data", root / "records"
        self._new, self._locks, self.fences = root / "new", root / "locks", root / "fences"

    def prepare(self) -> None:
        """Create the directories unless they exist."""
        for folder in (self._data, self._records, self._new, self._locks, self.fences):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self, share_id: str) -> Iterator[None]:
        """Let one thread of one process at a time change a share; its death ends the lock."""
        with open(self._locks / f"{crc32(share_id.encode()) % LOCKS}.lock", "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def path(self, share_id: str) -> Path:
        """The directory of a share."""
        return self._data / checked_id("share", share_id)

    def find(self, share_id: str) -> Record | None:
        """The share, if it exists."""
        return _read(self._record(share_id))

    def all(self) -> Iterator[Record]:
        """Every share; files of others are left out."""
        for path in self._records.glob("*.json"):
            record = _read(path)
            if record is not None and path.name == f"{record.id}.json":
                yield record

    def is_begun(self, share_id: str) -> bool:
        """Whether there is anything of a share, which need not exist."""
        return self.path(share_id).exists() or self._written(share_id).exists()

    def create(self, share_id: str, size: int) -> None:
        """Create a share unless it exists. Its record comes last: it says that all is there."""
        if self.find(share_id) is None:
            self.path(share_id).mkdir(exist_ok=True)
            self.store(Record(id=share_id, size=size))

    def store(self, record: Record) -> None:
        """Replace the record of a share, completely or not at all."""
        written = self._written(record.id)
        written.write_text(record.model_dump_json(), encoding="utf-8")
        written.replace(self._record(record.id))

    def delete(self, share_id: str) -> None:
        """Delete a share and all that is left of it; succeeds if there is nothing."""
        self._record(share_id).unlink(missing_ok=True)
        self._written(share_id).unlink(missing_ok=True)
        if self.path(share_id).exists():
            shutil.rmtree(self.path(share_id))

    def _record(self, share_id: str) -> Path:
        return self._records / f"{checked_id('share', share_id)}.json"

    def _written(self, share_id: str) -> Path:
        return self._new / f"{checked_id('share', share_id)}.json"


def _read(path: Path) -> Record | None:
    """The record in a file; None if there is none, or if it is a file of somebody else."""
    if not path.is_file():  # a pipe would block
        return None
    try:
        return Record.model_validate(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError):  # pydantic's and json's errors are of the latter
        return None
