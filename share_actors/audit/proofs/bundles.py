"""Proofs as small JSON documents, which `check_bundle.py` checks without this package and without the log."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from share_actors.errors import NotFound, Refused
from share_actors.events.checkpoints.check_bundle import (
    BadProof,
    Checkpoint,
    PublicKey,
    check,
    leaf_hash,
)
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.merkle import (
    Range,
    consistency_ranges,
    hashes_of,
    inclusion_ranges,
)
from share_actors.events.log import Notification
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.rows import ReadRows, Row, rows_in_order

_NEXT = "Run `share-actors log verify` to see where they differ."


def prove_event(read: ReadRows, position: int, note: str, key: PublicKey) -> dict[str, Any]:
    """The proof that the event at *position* is in the log of the checkpoint *note*, with its stored bytes.

    Raises `NotFound` if the checkpoint does not cover it, and `Refused` if the log is not the checkpoint's.
    """
    size = Checkpoint.parse(note, key).size
    row, index = _find(rows_in_order(read), position, size)
    event = row._asdict() | {"state": b64encode(row.state).decode()}
    proof = _proof(inclusion_ranges(index, size), rows_in_order(read))
    bundle = {
        "kind": "inclusion",
        "index": index,
        "event": event,
        "proof": proof,
        "checkpoint": note,
    }
    return _checked(bundle, key)


def _find(rows: Iterable[Row], position: int, size: int) -> tuple[Notification, int]:
    for index, row in enumerate(rows):
        if index >= size or row.position > position:
            break
        if row.position == position:
            if isinstance(row, ArchivedRow):
                raise _archived(row)
            return row, index
    raise NotFound(
        f"position {position}: the checkpoint of {size} events has no event there",
        field="position",
        value=position,
        next_step="Name a position that it covers, or write a new one with `share-actors log checkpoint`.",
    )


def _archived(row: ArchivedRow) -> Refused:
    return Refused(
        f"position {row.position}: version {row.version} of {row.stream} was archived and removed",
        next_step=f"Its file proves it: `share-actors log show {row.archive}` has the file's name.",
    )


def prove_growth(read: ReadRows, old: str, note: str, key: PublicKey) -> dict[str, Any]:
    """The proof that the log of the checkpoint *note* begins with that of the *old* one.

    Raises `Refused` if it does not, or if the log is not the checkpoints'.
    """
    first, second = Checkpoint.parse(old, key).size, Checkpoint.parse(note, key).size
    if not 0 < first <= second:
        raise Refused(
            f"the old checkpoint has {first} events, and the other one {second}",
            next_step="Name the older checkpoint with --from, and the newer one with --checkpoint.",
        )
    proof = _proof(consistency_ranges(first, second), rows_in_order(read))
    bundle = {"kind": "consistency", "proof": proof, "old_checkpoint": old, "checkpoint": note}
    return _checked(bundle, key)


def _proof(ranges: list[Range], rows: Iterator[Row]) -> list[str]:
    try:
        hashes = hashes_of(ranges, (leaf_hash(Leaf.of(row).encode()) for row in rows))
    except ValueError as error:
        raise Refused(f"the log is shorter than its checkpoint: {error}", next_step=_NEXT) from None
    return [b64encode(item).decode() for item in hashes]


def _checked(bundle: dict[str, Any], key: PublicKey) -> dict[str, Any]:
    """*bundle*, if it proves something."""
    try:
        check(bundle, key)
    except BadProof as error:
        text = f"the log is not the checkpoint's, so there is no proof: {error}"
        raise Refused(text, next_step=_NEXT) from None
    return bundle
