"""Writes checkpoints of a log behind its writers, which never wait for it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from share_actors.config import Config
from share_actors.errors import ConfigError, LogError
from share_actors.events.checkpoints.check_bundle import leaf_hash
from share_actors.events.checkpoints.directory import BUNDLE, CheckpointDirectory, Tail
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.remote import open_checkpoints
from share_actors.events.log.read_only import ReadRows

BATCH_SIZE = 1_000
MAX_EVENTS = 50_000
"""Events that one checkpoint adds at most, so that a long log makes progress through restarts."""


class Written(NamedTuple):
    """A checkpoint that was written: its note, how many events it covers, and the position of the last."""

    note: str
    size: int
    position: int
    is_behind: bool = False
    """Whether the log had more events than one checkpoint adds."""


class CheckpointWriter:
    """Extends the tree by what was recorded since the newest checkpoint, and signs its root.

    It keeps nothing in memory between two checkpoints: several writers on one directory take turns.
    """

    def __init__(
        self,
        directory: CheckpointDirectory,
        key: SigningKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.directory, self.key, self._now = directory, key, now

    @classmethod
    def configured(cls, config: Config) -> CheckpointWriter:
        """The writer of a configuration; creates the key if it is missing. Raises `ConfigError`."""
        if config.audit.checkpoints is None:
            raise ConfigError(
                "audit.checkpoints is not set: it is the directory or URL for checkpoints",
                field="audit.checkpoints",
            )
        key = SigningKey.load_or_create(config.audit_signer_file, config.audit_origin)
        return cls(open_checkpoints(config.audit.checkpoints), key)

    def write(self, read: ReadRows) -> Written | None:
        """Write a checkpoint with at most `MAX_EVENTS` further events; None if there are none.

        Raises `LogError`, and signs nothing, if the log is not the one of the newest checkpoint.
        """
        with self.directory.locked():
            tail = self.directory.tail(self.key.public)
            before = tail.tree.size
            self._check(tail, read)
            last = self._extend(tail, read)
            if last is None:
                return None
            written = self._publish(tail, last)
            return written._replace(is_behind=tail.tree.size - before >= MAX_EVENTS)

    def write_all(self, read: ReadRows) -> Written | None:
        """Write checkpoints until all events are covered; returns the last of them."""
        newest = None
        while (written := self.write(read)) is not None:
            newest = written
        return newest

    def _check(self, tail: Tail, read: ReadRows) -> None:
        """Raise `LogError` unless the log still has the last event of the newest checkpoint."""
        if tail.last is None:
            return
        rows = read(tail.last.position - 1, 1)
        if not rows or Leaf.of(rows[0]) != tail.last:
            raise LogError(
                f"the log is not the one of the checkpoints in {self.directory.where}: it has not the event"
                f" at position {tail.last.position}, version {tail.last.version} of {tail.last.stream};"
                " no checkpoint was written; run `share-actors log verify`",
                field="audit.checkpoints",
                value=self.directory.where,
            )

    def _extend(self, tail: Tail, read: ReadRows) -> Leaf | None:
        """Add the next rows to *tail*, and write their leaves; returns the last one."""
        first_size, last, newest = tail.tree.size, tail.last, None
        while tail.tree.size - first_size < MAX_EVENTS:
            rows = read(last.position if last is not None else 0, BATCH_SIZE)
            for row in rows:
                last = newest = Leaf.of(row)
                self._add(tail, last)
            if len(rows) < BATCH_SIZE:
                break
        if newest is not None and tail.pending:
            self.directory.put_leaves(tail.tree.size // BUNDLE, tail.pending)
        return newest

    def _add(self, tail: Tail, leaf: Leaf) -> None:
        tail.tree.append(leaf_hash(leaf.encode()))
        tail.pending.append(leaf)
        if len(tail.pending) == BUNDLE:
            self.directory.put_leaves(tail.tree.size // BUNDLE - 1, tail.pending)
            tail.pending.clear()

    def _publish(self, tail: Tail, last: Leaf) -> Written:
        root = b64encode(tail.tree.root()).decode()
        at = self._now().astimezone(UTC).isoformat(timespec="seconds")
        lines = self.key.public.name, tail.tree.size, root, f"position {last.position}", f"at {at}"
        note = self.key.sign("".join(f"{line}\n" for line in lines))
        self.directory.put_checkpoint(note, self.key.public_text, tail.tree)
        return Written(note, tail.tree.size, last.position)
