"""A log whose streams are divided among several tables: which has a stream, and a writer for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol, runtime_checkable

from eventsourcing.persistence import ApplicationRecorder, StoredEvent

from share_actors.events.log.append_order import Settled
from share_actors.events.log.group_commit import GroupCommit
from share_actors.observability.counts import Timer

MAX_PARTITIONS = 32


def partition_of(stream: str, partitions: int) -> int:
    """The partition of *stream*, from 0 to *partitions* - 1. It is the same for ever: tables depend on it."""
    digest = sha256(stream.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:4]) % partitions


@runtime_checkable
class HasPartitions(Protocol):
    """A recorder of a log that has a recorder for each partition."""

    partitions: Sequence[ApplicationRecorder]


def commit_of(
    recorder: ApplicationRecorder, make: Callable[[ApplicationRecorder], GroupCommit]
) -> GroupCommit | PartitionedCommit:
    """What writes to the log of *recorder*: what *make* makes, one for each partition."""
    if isinstance(recorder, HasPartitions):
        return PartitionedCommit([make(partition) for partition in recorder.partitions])
    return make(recorder)


class PartitionedCommit:
    """A group commit for each partition, so that they write at the same time."""

    def __init__(self, commits: Sequence[GroupCommit]) -> None:
        self._commits = commits

    @property
    def before_commit(self) -> Callable[[], None]:
        """Called before each commit, by the threads of all partitions; see `GroupCommit`."""
        return self._commits[0].before_commit

    @before_commit.setter
    def before_commit(self, check: Callable[[], None]) -> None:
        for commit in self._commits:
            commit.before_commit = check

    @property
    def times(self) -> Timer:
        """How long each transaction of all partitions took."""
        times = Timer()
        for commit in self._commits:
            times.merge(commit.times)
        return times

    def submit(
        self, stream: str, expected: int, rows: Sequence[StoredEvent], settled: Settled
    ) -> None:
        """Queue *rows* for the partition of *stream*; see `GroupCommit.submit`."""
        commit = self._commits[partition_of(stream, len(self._commits))]
        commit.submit(stream, expected, rows, settled)

    def close(self) -> None:
        """Write all submitted appends, then stop."""
        for commit in self._commits:
            commit.close()
