"""Checks an archive: `python check_archive.py ARCHIVE --key PUBLIC`, with `check_bundle.py` beside this file.

It needs Python 3.11 and the package `cryptography`, and nothing of share_actors. An archive is a gzip file of
JSON Lines: a header with a signed checkpoint, one line for each event, and an end with the proof that all of
them are leaves of the checkpoint's tree.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from base64 import b64decode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

if __package__:
    from share_actors.events.checkpoints.check_bundle import (
        BadProof,
        Checkpoint,
        PublicKey,
        check_file,
        encode_leaf,
        leaf_hash,
        root_by_leaves,
    )
else:
    from check_bundle import (  # type: ignore[import-not-found,no-redef]
        BadProof,
        Checkpoint,
        PublicKey,
        check_file,
        encode_leaf,
        leaf_hash,
        root_by_leaves,
    )

FORMAT = "share-actors-archive"
FORMAT_VERSION = 1
MAGIC = b"\x1f\x8b"


class Archive(NamedTuple):
    """What an archive holds: events of whole streams; *leaves_sha256* is over their leaves, in order."""

    checkpoint: Checkpoint
    events: int
    streams: int
    first: int
    last: int
    leaves_sha256: str


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of the archive at *path*; raises `BadProof` where it is damaged or cut off, and `OSError`."""
    number = 0
    try:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                item = json.loads(line)
                if not line.endswith(b"\n") or not isinstance(item, dict):
                    raise ValueError
                number += 1
                yield item
    except EOFError:
        raise BadProof(f"the archive was cut off after line {number}") from None
    except (ValueError, zlib.error, gzip.BadGzipFile):
        raise BadProof(f"the archive is damaged after line {number}") from None


def header_of(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The first of *lines*; raises `BadProof` if it is not that of an archive which this version reads."""
    header = next(lines, {})
    if (header.get("format"), header.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise BadProof(f"it is not an archive of a log ({FORMAT} {FORMAT_VERSION})")
    return header


def read_archive(path: Path, key: PublicKey) -> Archive:
    """What the archive at *path* holds, if its events are in the log that *key* signed, and streams complete.

    Raises `BadProof` if not, and `OSError`.
    """
    try:
        lines = lines_of(path)
        checkpoint = Checkpoint.parse(header_of(lines)["checkpoint"], key)
        events = _Events()
        end = events.take_all(lines)
        return events.proven(checkpoint, [b64decode(h, validate=True) for h in end["proof"]])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadProof):
            raise
        raise BadProof(f"it is not an archive: {type(error).__name__}: {error}") from None


class _Events:
    """The events of an archive: their indices, leaves, and the versions of their streams."""

    def __init__(self) -> None:
        self.indices, self.leaves = list[int](), list[bytes]()
        self.positions, self.versions = list[int](), dict[str, int]()
        self.digest = sha256()

    def take_all(self, lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
        """Take each event, and return the end; raises `BadProof`."""
        end = dict[str, Any]()
        for item in lines:
            if end:
                raise BadProof("the archive goes on after its end")
            if item.get("end"):
                end = item
            else:
                self._take(item)
        if end.get("events") != len(self.leaves) or not self.leaves:
            raise BadProof(f"the archive was cut off after {len(self.leaves)} events")
        return end

    def _take(self, item: dict[str, Any]) -> None:
        stream, version, before = (
            item["stream"],
            item["version"],
            self.versions.get(item["stream"], 0),
        )
        state = sha256(b64decode(item["state"], validate=True)).hexdigest()
        leaf = encode_leaf(item["position"], stream, version, item["topic"], state)
        if version != before + 1:
            raise BadProof(f"version {before + 1} of {stream} is missing in the archive")
        self.versions[stream] = version
        self.indices.append(int(item["index"]))
        self.positions.append(int(item["position"]))
        self.leaves.append(leaf_hash(leaf))
        self.digest.update(leaf + b"\n")

    def proven(self, checkpoint: Checkpoint, proof: Sequence[bytes]) -> Archive:
        """What these events are, if *proof* leads from them to *checkpoint*; raises `BadProof`."""
        indices = self.indices
        if sorted({*indices}) != indices or not 0 <= indices[0] <= indices[-1] < checkpoint.size:
            raise BadProof("the events of the archive are not in the order of the log")
        if root_by_leaves(checkpoint.size, indices, self.leaves, iter(proof)) != checkpoint.root:
            raise BadProof(
                "events of the archive are not in the log of its checkpoint, or were changed"
            )
        first, last, digest = self.positions[0], self.positions[-1], self.digest.hexdigest()
        return Archive(checkpoint, len(indices), len(self.versions), first, last, digest)


def text_of(archive: Archive) -> str:
    """What *archive* proves, in a sentence."""
    return (
        f"{archive.events} events of {archive.streams} whole streams, at positions {archive.first} to"
        f" {archive.last}, are in the log {archive.checkpoint.origin} of {archive.checkpoint.size} events"
    )


def is_archive(path: Path) -> bool:
    """Whether *path* is a file that starts as a compressed one does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the archive of the command line; returns 0 if its proof holds, otherwise 1."""

    def proven(archive: Path, key: PublicKey) -> str:
        return text_of(read_archive(archive, key))

    return check_file("archive", "an archive of an event log", proven, arguments)


if __name__ == "__main__":
    sys.exit(main())
