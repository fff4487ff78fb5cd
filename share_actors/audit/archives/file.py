"""The file of an archive: written at once, durable and proven before anything is removed from the log.

`check_archive.py` has its format, and reads it without this package.
"""

from __future__ import annotations

import gzip
import json
import os
from array import array
from base64 import b64encode
from collections.abc import Collection, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from share_actors.errors import InvalidRequest, LogError
from share_actors.events.checkpoints.check_archive import (
    FORMAT,
    FORMAT_VERSION,
    Archive,
    header_of,
    lines_of,
    read_archive,
)
from share_actors.events.checkpoints.check_bundle import (
    BadProof,
    Checkpoint,
    PublicKey,
    leaf_hash,
)
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.merkle import hashes_of, ranges_without
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.log import Notification
from share_actors.events.log.rows import ReadRows, rows_in_order

_LEVEL = 6


class Basis(NamedTuple):
    """The signed checkpoint to which an archive leads, and the key that signed it, also as text."""

    note: str
    key: PublicKey
    key_text: str

    @property
    def size(self) -> int:
        """How many events the checkpoint covers."""
        return Checkpoint.parse(self.note, self.key).size


def write(
    path: Path, read: ReadRows, streams: Collection[str], until: datetime, basis: Basis
) -> None:
    """Write the events of *streams* to the new file *path*, which appears when it is complete and durable.

    Raises `LogError` if it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with open(new, "wb", opener=_private) as raw:
            with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:
                _write_lines(file, read, streams, until, basis)
            raw.flush()
            os.fsync(raw.fileno())
        new.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _not_written(path, error) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> LogError:
    return LogError(
        f"the archive {path} cannot be written: {error.strerror or error}; the log was not changed; free"
        " space, or choose another file",
        field="to",
        value=str(path),
    )


def _write_lines(
    file: gzip.GzipFile, read: ReadRows, streams: Collection[str], until: datetime, basis: Basis
) -> None:
    _write_line(file, _header(until, basis))
    indices = array("q")
    for index, row in _chosen(read, streams, basis.size):
        indices.append(index)
        columns = {"index": index, **row._asdict(), "state": b64encode(row.state).decode()}
        _write_line(file, columns)
    leaves = (leaf_hash(Leaf.of(row).encode()) for row in rows_in_order(read))
    hashes = hashes_of(list(ranges_without(indices, basis.size)), leaves)
    proof = [b64encode(item).decode() for item in hashes]
    _write_line(file, {"end": True, "events": len(indices), "proof": proof})


def _header(until: datetime, basis: Basis) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "until": until.isoformat(),
        "checkpoint": basis.note,
        "public_key": basis.key_text,
    }


def _write_line(file: gzip.GzipFile, item: dict[str, Any]) -> None:
    file.write(json.dumps(item, separators=(",", ":")).encode() + b"\n")


def _chosen(
    read: ReadRows, streams: Collection[str], size: int
) -> Iterator[tuple[int, Notification]]:
    """The events of *streams* that are in the log, with their places among all *size* events."""
    for index, row in enumerate(rows_in_order(read)):
        if index >= size:
            return
        if row.stream in streams and not isinstance(row, ArchivedRow):
            yield index, row


# -- reading back --------------------------------------------------------------------------------
def read_back(path: Path, key: PublicKey) -> Archive:
    """What the archive at *path* holds, as read from the disk; raises `InvalidRequest` if nothing."""
    try:
        return read_archive(path, key)
    except (OSError, BadProof) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(
            f"{path}: {reason}; it was not changed, and nothing was removed from the log; choose a new file",
            field="to",
            value=str(path),
        ) from None


def until_of(path: Path) -> datetime:
    """Before when the events of the archive are dated."""
    return datetime.fromisoformat(header_of(lines_of(path))["until"])


def digest_of(path: Path) -> str:
    """The SHA-256 of the file, in hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
