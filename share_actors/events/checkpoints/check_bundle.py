"""Checks a proof: `python check_bundle.py BUNDLE.json --key PUBLIC`. Copy this one file anywhere.

It needs Python 3.11 and the package `cryptography`, and nothing of share_actors. Hashes are those of RFC 6962
and RFC 9162; a checkpoint is a signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LEAF_FORMAT = "share-actors leaf 1"
_encode = json.JSONEncoder(separators=(",", ":")).encode
ED25519 = b"\x01"
MAX_SIGNATURES = 64


class BadProof(ValueError):
    """The proof does not hold, or it is not one; the message says what is wrong."""


# -- hashes --------------------------------------------------------------------------------------
def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def encode_leaf(position: int, stream: str, version: int, topic: str, digest: str) -> bytes:
    """The leaf of an event: a JSON array in ASCII. *digest*: SHA-256 of the stored bytes, in hexadecimal."""
    return _encode([LEAF_FORMAT, position, stream, version, topic, digest]).encode("ascii")


def root_by_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root of a tree of *size* leaves with the hash *leaf* at *index* (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise BadProof(f"index {index} is not in a tree of {size} leaves")
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise BadProof("the proof is too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    return root


def check_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Raise `BadProof` unless the old tree is a beginning of the new one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= size:
        raise BadProof(f"a tree of {old_size} leaves is not a beginning of one of {size}")
    if old_size == size:
        if path or old_root != root:
            raise BadProof("two trees of the same size have different roots")
        return
    hashes = [*([old_root] if old_size & (old_size - 1) == 0 else []), *path]
    if not hashes:
        raise BadProof("the proof is too short")
    if _roots_by_consistency(old_size, size, hashes) != (old_root, root):
        raise BadProof("the old checkpoint is not a beginning of the new one")


def _roots_by_consistency(old_size: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old, new = path[0], path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProof("the proof is too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    return old, new


def middle_of(start: int, end: int) -> int:
    """Where the tree over the leaves from *start* to *end* is split: after a power of two."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def root_by_leaves(
    size: int, indices: Sequence[int], leaves: Sequence[bytes], proof: Iterator[bytes]
) -> bytes:
    """The root of a tree of *size* leaves, of which those at *indices* have the hashes *leaves*.

    *proof*: the hashes of all largest subtrees without any of them, from left to right.
    """

    def subtree(start: int, end: int, low: int, high: int) -> bytes:
        if low == high:
            return next(proof)
        if end - start == 1:
            return leaves[low]
        middle = middle_of(start, end)
        split = bisect_left(indices, middle, low, high)
        return node_hash(subtree(start, middle, low, split), subtree(middle, end, split, high))

    try:
        root = subtree(0, size, 0, len(indices))
    except StopIteration:
        raise BadProof("the proof is too short") from None
    if next(proof, None) is not None:
        raise BadProof("the proof is too long")
    return root


# -- signed notes --------------------------------------------------------------------------------
class PublicKey(NamedTuple):
    """A key for notes, as text `NAME+ID+BASE64`: its name, its id (4 bytes), and 32 bytes."""

    name: str
    id: bytes
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read the text form; raises `BadProof`."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            content = b64decode(encoded, validate=True)
            found = cls(name, bytes.fromhex(key_id), content[1:])
        except ValueError:
            raise BadProof("the public key is not NAME+ID+BASE64") from None
        if content[:1] != ED25519 or len(found.raw) != 32 or not is_key_name(name):
            raise BadProof("the public key is not an Ed25519 key for signed notes")
        if found.id != key_id_of(name, found.raw):
            raise BadProof("the public key is damaged: its id is not that of its name and bytes")
        return found


def is_key_name(name: str) -> bool:
    """Whether *name* can be that of a key: not empty, without spaces and plus signs."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def key_id_of(name: str, raw: bytes) -> bytes:
    """The id of an Ed25519 key with this name: 4 bytes."""
    return sha256(name.encode() + b"\n" + ED25519 + raw).digest()[:4]


def open_note(note: str, key: PublicKey) -> str:
    """The text of *note* if *key* signed it; raises `BadProof`."""
    text, blank, signatures = note.rpartition("\n\n")
    lines = signatures.splitlines()
    if not blank or not lines or len(lines) > MAX_SIGNATURES:
        raise BadProof("it is not a signed note")
    text += "\n"
    verified = [_verified(line, text, key) for line in lines]
    if not any(verified):
        raise BadProof(f"the key {key.name}+{key.id.hex()} has not signed it")
    return text


def _verified(line: str, text: str, key: PublicKey) -> bool:
    """Whether *line* is a signature by *key*; raises `BadProof` if it is one and wrong."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        content = b64decode(encoded, validate=True)
    except ValueError:
        content = b""
    if dash != "\N{EM DASH}" or len(content) < 5:
        raise BadProof("it has a line that is not a signature")
    if (name, content[:4]) != (key.name, key.id):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(content[4:], text.encode())
    except InvalidSignature:
        raise BadProof(f"the signature by {key.name} is wrong: it was changed") from None
    return True


class Checkpoint(NamedTuple):
    """The head of a log: its origin, its number of leaves, its root (32 bytes), and the other lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...]

    @classmethod
    def parse(cls, note: str, key: PublicKey) -> Checkpoint:
        """Read a signed checkpoint; raises `BadProof` also if *key* has not signed it."""
        lines = open_note(note, key).splitlines()
        try:
            origin, size, root, *extensions = lines
            found = cls(origin, int(size), b64decode(root, validate=True), tuple(extensions))
        except ValueError:
            raise BadProof("the signed text is not a checkpoint") from None
        if not origin or str(found.size) != size or found.size < 0 or len(found.root) != 32:
            raise BadProof("the signed text is not a checkpoint")
        return found

    def extension(self, name: str) -> str | None:
        """The rest of the line that starts with *name* and a space; None if there is none."""
        prefix = f"{name} "
        return next((e.removeprefix(prefix) for e in self.extensions if e.startswith(prefix)), None)


# -- bundles -------------------------------------------------------------------------------------
def check(bundle: Any, key: PublicKey) -> str:
    """What the *bundle* proves, in a sentence; raises `BadProof`."""
    try:
        if bundle["kind"] == "inclusion":
            return _check_event(bundle, key)
        if bundle["kind"] == "consistency":
            return _check_growth(bundle, key)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadProof):
            raise
        raise BadProof(f"it is not a bundle: {type(error).__name__}: {error}") from None
    raise BadProof(f"it is not a bundle: kind is {bundle['kind']!r}")


def _hashes(encoded: Sequence[str]) -> list[bytes]:
    return [b64decode(item, validate=True) for item in encoded]


def _check_event(bundle: dict[str, Any], key: PublicKey) -> str:
    checkpoint, event = Checkpoint.parse(bundle["checkpoint"], key), bundle["event"]
    digest = sha256(b64decode(event["state"], validate=True)).hexdigest()
    fields = event["position"], event["stream"], event["version"], event["topic"]
    leaf = leaf_hash(encode_leaf(*fields, digest))
    root = root_by_inclusion(bundle["index"], checkpoint.size, leaf, _hashes(bundle["proof"]))
    if root != checkpoint.root:
        raise BadProof("the event is not in the log of the checkpoint, or it was changed")
    return (
        f"{event['topic']}, version {event['version']} of {event['stream']}, is at position"
        f" {event['position']} of the log {checkpoint.origin} of {checkpoint.size} events"
    )


def _check_growth(bundle: dict[str, Any], key: PublicKey) -> str:
    old, new = (Checkpoint.parse(bundle[name], key) for name in ("old_checkpoint", "checkpoint"))
    if old.origin != new.origin:
        raise BadProof(f"the checkpoints are of two logs, {old.origin} and {new.origin}")
    check_consistency(old.size, old.root, new.size, new.root, _hashes(bundle["proof"]))
    return (
        f"the log {new.origin} of {new.size} events begins with all {old.size} events of the old"
        " checkpoint, unchanged and in the same order"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the bundle of the command line; returns 0 if the proof holds, otherwise 1."""

    def proven(bundle: Path, key: PublicKey) -> str:
        return check(json.loads(bundle.read_text()), key)

    return check_file("bundle", "a proof about an event log", proven, arguments)


def check_file(
    kind: str,
    what: str,
    proven: Callable[[Path, PublicKey], str],
    arguments: Sequence[str] | None,
) -> int:
    """Check the file of the command line, and print what is *proven* of it by a key; the exit status.

    *kind* is the name of the argument.
    """
    parser = argparse.ArgumentParser(description=f"Check {what}.")
    parser.add_argument(kind, type=Path)
    parser.add_argument("--key", required=True, help="the public key, or a file with it")
    options = parser.parse_args(arguments)
    try:
        is_file = Path(options.key).is_file() or "+" not in options.key
        text = Path(options.key).read_text() if is_file else options.key
        print("proven:", proven(getattr(options, kind), PublicKey.parse(text)))
    except (OSError, ValueError, RecursionError) as error:
        print("NOT proven:", error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
