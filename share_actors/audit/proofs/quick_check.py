"""A check that takes no time: whether the log still has the last event of its newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from share_actors.audit.reading.reader_source import open_rows
from share_actors.config import Config
from share_actors.events.checkpoints.check_bundle import BadProof, Checkpoint
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.remote import open_checkpoints
from share_actors.events.log.rows import ReadRows

_ALL = "run `share-actors log verify`"


class QuickCheck(NamedTuple):
    """What was verified of a log, what was not, and what is wrong."""

    verified: tuple[str, ...]
    not_verified: tuple[str, ...]
    problems: tuple[str, ...]

    def document(self) -> dict[str, list[str]]:
        """What was verified and what not, as JSON."""
        return {"verified": list(self.verified), "not_verified": list(self.not_verified)}

    def lines(self) -> Iterator[str]:
        """Sentences for people."""
        yield from (f"Verified: {item}." for item in self.verified)
        yield from (f"Not verified: {item}." for item in self.not_verified)


def check_newest(config: Config) -> QuickCheck:
    """Compare the end of the newest checkpoint with the log; raises `LogError` or `ConfigError`."""
    if config.audit.checkpoints is None:
        without = "that no event was edited or removed, since audit.checkpoints is not set"
        return QuickCheck((), (without,), ())
    directory = open_checkpoints(config.audit.checkpoints)
    note = directory.newest()
    if note is None:
        without = f"that no event was edited or removed: no checkpoint is in {directory.where} yet"
        return QuickCheck((), (without,), ())
    key = SigningKey.load(config.audit_signer_file, config.audit_origin)
    try:
        checkpoint = Checkpoint.parse(note, key.public)
        *_, last = directory.leaves_at_end(checkpoint.size)
    except BadProof as error:
        return QuickCheck((), (), (f"the checkpoint in {directory.where} cannot be used: {error}",))
    with open_rows(config.log, config.log_path, named=False) as read:
        return _compare(read, checkpoint, last)


def _compare(read: ReadRows, checkpoint: Checkpoint, last: Leaf) -> QuickCheck:
    rows = read(last.position - 1, 1)
    at = checkpoint.extension("at")
    if not rows or Leaf.of(rows[0]) != last:
        problem = (
            f"the log lacks the last event of its checkpoint of {checkpoint.size} events ({at}),"
            f" version {last.version} of {last.stream} at position {last.position}: {_ALL}"
        )
        return QuickCheck((), (), (problem,))
    verified = (
        f"the signature of the checkpoint of {checkpoint.size} events ({at}), and that the log still has"
        " the last of them"
    )
    return QuickCheck((verified,), (f"the events before it: {_ALL}",), ())
