"""The leaf of each event in the log's tree: its columns, with the hash of its stored bytes."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import NamedTuple

from share_actors.events.checkpoints.check_bundle import LEAF_FORMAT, encode_leaf
from share_actors.events.log import Notification
from share_actors.events.log.archived_rows import ArchivedRow


class Leaf(NamedTuple):
    """An event as the tree has it; `digest` is the SHA-256 of its stored bytes, in hexadecimal."""

    position: int
    stream: str
    version: int
    topic: str
    digest: str

    @classmethod
    def of(cls, row: Notification | ArchivedRow) -> Leaf:
        """The leaf of a row of the log, or of one that was archived."""
        if isinstance(row, ArchivedRow):
            return cls(*row[:5])
        position, stream, version, topic, state = row
        return cls(position, stream, version, topic, sha256(state).hexdigest())

    @classmethod
    def decode(cls, entry: bytes) -> Leaf:
        """Read an encoded leaf; raises `ValueError`."""
        fields = json.loads(entry)
        if not isinstance(fields, list) or len(fields) != 6 or fields[0] != LEAF_FORMAT:
            raise ValueError("it is not the leaf of an event")
        leaf = cls(*fields[1:])
        if leaf.encode() != entry:
            raise ValueError("it is not the canonical form of a leaf")
        return leaf

    def encode(self) -> bytes:
        """The leaf's bytes; equal leaves have equal bytes, and no others."""
        return encode_leaf(*self)
