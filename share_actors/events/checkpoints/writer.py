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
from share_actors.events.log.rows import ReadRows

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

    Several writers on one directory take turns: where the tree ended is kept in memory, and believed only if
    the newest checkpoint is still the one that this writer wrote.
    """

    def __init__(
        self,
        directory: CheckpointDirectory,
        key: SigningKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.directory, self.key, self._now = directory, key, now
        self._written: tuple[str, Tail] | None = None

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
            note = self.directory.newest()
            tail = self._tail(note)
            before = tail.tree.size
            self._check(tail, read)
            last = self._extend(tail, read)
            if last is None:
                self._written = None if note is None else (note, tail)
                return None
            written = self._publish(tail, last, before)
            self._written = written.note, tail._replace(last=last)
            return written._replace(is_behind=tail.tree.size - before >= MAX_EVENTS)

    def write_all(self, read: ReadRows) -> Written | None:
        """Write checkpoints until all events are covered; returns the last of them."""
        newest = None
        while (written := self.write(read)) is not None:
            newest = written
        return newest

    def _tail(self, note: str | None) -> Tail:
        """Where the newest checkpoint *note* ends; what is in memory is dropped if this write fails."""
        kept, self._written = self._written, None
        return kept[1] if kept and kept[0] == note else self.directory.tail(self.key.public)

    def _check(self, tail: Tail, read: ReadRows) -> None:
        """Raise `LogError` unless the log still has the last event of the newest checkpoint."""
        if tail.last is None:
            return
        rows = read(tail.last.position - 1, 1)
        if not rows or Leaf.of(rows[0]) != tail.last:
            raise LogError(
                f"the log is not the one of the checkpoints in {self.directory.where}: it lacks the event"
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
        entry = leaf.encode()
        tail.tree.append(leaf_hash(entry))
        tail.pending.append(entry)
        if len(tail.pending) == BUNDLE:
            self.directory.put_leaves(tail.tree.size // BUNDLE - 1, tail.pending)
            tail.pending.clear()

    def _publish(self, tail: Tail, last: Leaf, before: int) -> Written:
        root = b64encode(tail.tree.root()).decode()
        at = self._now().astimezone(UTC).isoformat(timespec="seconds")
        lines = self.key.public.name, tail.tree.size, root, f"position {last.position}", f"at {at}"
        note = self.key.sign("".join(f"{line}\n" for line in lines))
        self.directory.put_checkpoint(note, self.key.public_text, tail.tree, before)
        return Written(note, tail.tree.size, last.position)
