"""The directory of checkpoints: signed notes, and the leaf of each event as in c2sp.org/tlog-tiles.

checkpoint              the newest signed checkpoint
history.jsonl           every checkpoint, the oldest first
public.key              the key to check them with (auditors keep a copy elsewhere)
tile/entries/x001/234   the leaves of 256 events; an incomplete one is `234.p/COUNT`
resume.json             a cache: the subtrees of the newest checkpoint
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from share_actors.durable_files import replace_file
from share_actors.errors import LogError
from share_actors.events.checkpoints.check_bundle import (
    BadProof,
    Checkpoint,
    PublicKey,
    leaf_hash,
)
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.merkle import CompactRange
from share_actors.file_lock import FileLock

BUNDLE = 256
"""Leaves in a file."""
LOCK_WAIT_S = 60.0


class Tail(NamedTuple):
    """Where a tree ended: its subtrees, the leaves of its last incomplete file, and its last leaf."""

    tree: CompactRange
    pending: list[bytes]
    """Encoded: each leaf is encoded once, for its hash and for its file."""
    last: Leaf | None


class CheckpointDirectory:
    """The files below *path*. Readers need no lock; one writer at a time has `locked`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The place, for messages."""
        return str(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer; raises `LogError` if that is not possible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o755)
            lock = FileLock(self.path / ".lock")
        except OSError as error:
            raise directory_error(self.where, str(error.strerror)) from None
        try:
            if not lock.acquire(LOCK_WAIT_S):
                raise directory_error(self.where, f"{lock.holder} is writing to it")
            yield
        except OSError as error:
            raise directory_error(self.where, str(error.strerror)) from None
        finally:
            lock.close()

    # -- reading ---------------------------------------------------------------------------------
    def read(self, name: str) -> bytes:
        """The content of the file *name*; raises `OSError`, a `FileNotFoundError` if there is none."""
        return (self.path / name).read_bytes()

    def newest(self) -> str | None:
        """The newest signed note; None if there is none."""
        try:
            return self.read("checkpoint").decode()
        except FileNotFoundError:
            return None

    def history(self) -> Iterator[str]:
        """All signed notes, the oldest first; a line cut off by a crash is skipped."""
        try:
            lines = (self.path / "history.jsonl").open(encoding="utf-8")
        except FileNotFoundError:
            return
        with lines:
            for line in lines:
                try:
                    yield str(json.loads(line)["note"])
                except (ValueError, KeyError, TypeError):
                    continue

    def leaves(self, size: int) -> Iterator[Leaf]:
        """The first *size* leaves; raises `BadProof` where a file is missing or damaged."""
        for number in range((size + BUNDLE - 1) // BUNDLE):
            yield from self._bundle(number, min(BUNDLE, size - number * BUNDLE))

    def _bundle(self, number: int, count: int) -> list[Leaf]:
        full, partial = bundle_names(number, count)
        for name in (partial, full):  # a longer file begins with the same leaves
            try:
                return _decode(self.read(name))[:count]
            except FileNotFoundError:
                continue
            except (ValueError, TypeError) as error:
                raise BadProof(f"{self.where}/{name} is damaged: {error}") from None
        for name in self._longer(full, count):
            return _decode(self.read(name))[:count]
        raise BadProof(f"{self.where}/{partial} is missing")

    def _longer(self, full: str, count: int) -> list[str]:
        """Incomplete files with more than *count* leaves, as for a checkpoint that is not the newest."""
        files = (self.path / f"{full}.p").glob("[0-9]*")
        return [f"{full}.p/{file.name}" for file in files if int(file.name) > count]

    # -- the end of the tree ---------------------------------------------------------------------
    def tail(self, key: PublicKey) -> Tail:
        """Where the newest checkpoint ends; raises `LogError` for a damaged directory."""
        note = self.newest()
        if note is None:
            return Tail(CompactRange(), [], None)
        try:
            checkpoint = Checkpoint.parse(note, key)
            tree = self._cached(checkpoint) or self._rebuilt(checkpoint)
            last = self.leaves_at_end(checkpoint.size)
        except (BadProof, ValueError) as error:
            raise directory_error(self.where, str(error)) from None
        pending = [leaf.encode() for leaf in last] if checkpoint.size % BUNDLE else []
        return Tail(tree, pending, last[-1])

    def leaves_at_end(self, size: int) -> list[Leaf]:
        """The leaves of the last file of a tree with *size* leaves; raises `BadProof`."""
        number, rest = divmod(size, BUNDLE)
        leaves = self._bundle(number, rest) if rest else self._bundle(number - 1, BUNDLE)
        if len(leaves) != (rest or BUNDLE):
            raise BadProof(f"{self.where} lacks the last leaves of its checkpoint")
        return leaves

    def _cached(self, checkpoint: Checkpoint) -> CompactRange | None:
        try:
            document = json.loads(self.read("resume.json"))
            hashes = [bytes.fromhex(item) for item in document["hashes"]]
            tree = CompactRange(document["size"], hashes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        is_same = tree.size == checkpoint.size and tree.root() == checkpoint.root
        return tree if is_same else None

    def _rebuilt(self, checkpoint: Checkpoint) -> CompactRange:
        tree = CompactRange()
        for leaf in self.leaves(checkpoint.size):
            tree.append(leaf_hash(leaf.encode()))
        if tree.root() != checkpoint.root:
            raise BadProof("the leaves in it do not lead to its checkpoint: it was changed")
        return tree

    # -- writing ---------------------------------------------------------------------------------
    def put_leaves(self, number: int, leaves: Sequence[bytes]) -> None:
        """Write the encoded leaves of bundle *number*."""
        self._write(bundle_names(number, len(leaves))[1], _encode(leaves))

    def put_checkpoint(self, note: str, public_key: str, tree: CompactRange, before: int) -> None:
        """Publish *note*, whose leaves are written, then drop the files that it replaces.

        *before*: the size of the newest checkpoint so far.
        """
        self._write_key(f"{public_key}\n".encode())
        self._write("checkpoint", note.encode())
        self._add_to_history(tree.size, json.dumps({"size": tree.size, "note": note}))
        cache = {"size": tree.size, "hashes": [item.hex() for item in tree.hashes]}
        self._write("resume.json", json.dumps(cache).encode())
        self._drop_incomplete(before, tree.size)

    def _write_key(self, content: bytes) -> None:
        try:
            is_there = self.read("public.key") == content
        except OSError:
            is_there = False
        if not is_there:
            self._write("public.key", content)

    def _write(self, name: str, content: bytes) -> None:
        replace_file(self.path / name, content)

    def _add_to_history(self, _size: int, line: str) -> None:
        _append_line(self.path / "history.jsonl", line)

    def _drop_incomplete(self, before: int, size: int) -> None:
        """Drop the incomplete files that a tree of *size* leaves replaces, after one of *before*."""
        number, rest = divmod(size, BUNDLE)
        for complete in range(before // BUNDLE, number):
            shutil.rmtree(self._incomplete(complete), ignore_errors=True)
        kept = self._incomplete(number)
        for file in kept.iterdir() if kept.exists() else ():
            if file.name != str(rest):
                file.unlink()

    def _incomplete(self, number: int) -> Path:
        return (self.path / bundle_names(number, 0)[1]).parent


def bundle_names(number: int, count: int) -> tuple[str, str]:
    """The files of a complete bundle, and of one with *count* leaves: equal if *count* is `BUNDLE`."""
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    full = "/".join(("tile", "entries", *parts))
    return full, full if count == BUNDLE else f"{full}.p/{count}"


def directory_error(where: str, problem: str) -> LogError:
    """The error for a directory of checkpoints that cannot be used."""
    return LogError(
        f"audit.checkpoints {where}: {problem}; no checkpoint was written; fix it, or choose another"
        " directory and keep this one as evidence",
        field="audit.checkpoints",
        value=where,
    )


def _encode(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _decode(content: bytes) -> list[Leaf]:
    leaves, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 2], "big")
        leaves.append(Leaf.decode(content[at + 2 : at + 2 + size]))
        at += 2 + size
    return leaves


def _append_line(path: Path, line: str) -> None:
    """Append *line*, also after one that a crash has cut off."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        is_cut_off = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
        file.write(b"\n" * is_cut_off + line.encode() + b"\n")
