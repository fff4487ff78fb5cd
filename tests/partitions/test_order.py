"""The order of a partitioned log: what a reader has seen is the beginning of what every later one sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.log import Conflict, Log
from share_actors.events.log.partitions import partition_of
from share_actors.events.log.postgres.horizon import Horizon, claiming, position_of
from share_actors.events.log.postgres.partitioned import PartitionRecorder
from share_actors.events.log.postgres.recorder import BoundedRecorder
from tests.events.appending import append
from tests.events.conftest import OpenLog
from tests.events.postgres import admin
from tests.waiting import until

PARTITIONS = 3
STREAMS = [
    next(f"s{n}" for n in count() if partition_of(f"s{n}", PARTITIONS) == p) for p in range(3)
]
"""A stream of each partition."""
EACH = 10
"""Events of each stream."""
_VERSIONS = count(1)
Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["claim", "insert", "commit", "kill"]), st.integers(0, 2)),
    min_size=8,
    max_size=24,
)


class Writers:
    """A transaction for each partition, whose statements are sent when the test says so, and a reader."""

    def __init__(self, made: LogSettings, log: Log) -> None:
        self._made, self._schema, self.log = made, made.schema_name, log
        recorders: Any = log._recorder
        self._recorders: list[PartitionRecorder] = recorders.partitions
        self._open: dict[int, psycopg.Connection] = {}
        self._reader = admin(made)
        self._horizon = Horizon(self._schema, "stored_events")
        self.start = self.position = self.last()
        self.seen: list[int] = []

    def claim(self, partition: int) -> None:
        """Begin a transaction that has its turn and its claim, and no position yet."""
        if partition not in self._open:
            statement = claiming(self._schema, "stored_events", partition)
            self._begun(partition).execute(statement + SQL("SELECT FROM claim"))

    def insert(self, partition: int) -> None:
        row = ([STREAMS[partition]], [next(_VERSIONS)], ["topic"], [b""])
        self._begun(partition).execute(self._recorders[partition]._statement, row)

    def _begun(self, partition: int) -> psycopg.Connection:
        if partition not in self._open:
            self._open[partition] = connection = admin(self._made)
            connection.autocommit = False
        return self._open[partition]

    def commit(self, partition: int) -> None:
        if (connection := self._open.pop(partition, None)) is not None:
            connection.commit()
            connection.close()

    def kill(self, partition: int) -> None:
        """End the session at the server, as when its process is killed."""
        if (connection := self._open.pop(partition, None)) is None:
            return
        pid = connection.info.backend_pid
        self._reader.execute("SELECT pg_terminate_backend(%s)", (pid,))
        until(lambda: not self._query("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid))
        with suppress(psycopg.Error):
            connection.close()

    def read(self) -> None:
        """Read on, up to where the order is final."""
        seen = self._horizon.read(self._reader.execute)
        self.seen += self.rows(self.position, seen.final)
        assert seen.final >= self.position
        self.position = seen.final

    def rows(self, after: int, upto: int) -> list[int]:
        text = (
            "SELECT notification_id FROM {table} WHERE notification_id > %s AND notification_id <= %s"
            " ORDER BY notification_id"
        )
        table = Identifier(self._schema, "stored_events")
        found = self._reader.execute(SQL(text).format(table=table), (after, upto))
        return [position for (position,) in found]

    def last(self) -> int:
        table = Identifier(self._schema, "stored_events")
        text = SQL("SELECT coalesce(max(notification_id), 0) FROM {table}").format(table=table)
        return int(self._reader.execute(text).fetchall()[0][0])

    def _query(self, text: str, *given: object) -> list[Any]:
        return self._reader.execute(text.encode(), given).fetchall()

    def close(self) -> None:
        for partition in list(self._open):
            self.kill(partition)
        self._reader.close()


@pytest.fixture
def writers(
    opener: Callable[[LogSettings], OpenLog], postgres_settings: LogSettings
) -> Callable[[], Any]:
    made = postgres_settings.model_copy(update={"partitions": PARTITIONS})
    log = opener(made)()

    @contextmanager
    def make() -> Iterator[Writers]:
        new = Writers(made, log)
        try:
            yield new
        finally:
            new.close()

    return make


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_nothing_is_ever_inserted_before_what_a_reader_has_seen(
    writers: Callable[[], Any], steps: list[Step]
) -> None:
    with writers() as tried:
        for name, partition in steps:
            getattr(tried, name)(partition)
            tried.read()
        for partition in range(PARTITIONS):
            tried.commit(partition)

        whole = tried.rows(tried.start, tried.last())
        assert tried.seen == whole[: len(tried.seen)]
        tried.read()
        assert tried.seen == whole  # nothing is in flight, so nothing is held back


def test_a_slow_transaction_holds_back_what_was_recorded_after_it_began(
    writers: Callable[[], Any],
) -> None:
    with writers() as tried:
        tried.insert(0)
        tried.insert(1)
        tried.commit(1)
        tried.read()
        assert tried.seen == []

        tried.commit(0)
        tried.read()
        assert len(tried.seen) == 2


def test_a_transaction_that_began_later_holds_nothing_back(writers: Callable[[], Any]) -> None:
    with writers() as tried:
        tried.insert(1)
        tried.commit(1)
        tried.claim(0)
        tried.read()

        assert len(tried.seen) == 1


def test_a_reader_passes_over_nothing_if_another_thread_reads_at_the_same_time(
    writers: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    select = BoundedRecorder.select_notifications

    with writers() as tried:
        tried.insert(0)
        tried.insert(1)

        def interleaved(*args: Any, **kwargs: Any) -> Any:
            tried.commit(1)
            rows = select(*args, **kwargs)
            tried.commit(0)
            tried.log._recorder._wait()  # of another thread, which learns that both are final now
            return rows

        with monkeypatch.context() as patched:
            patched.setattr(BoundedRecorder, "select_notifications", interleaved)
            first = tried.log.notifications(tried.start, 1)
        after = first[-1].position if first else tried.start
        rest = tried.log.notifications(after, 10)

        seen = [row.position for row in (*first, *rest)]
        assert seen == tried.rows(tried.start, tried.last())


def test_a_reader_gets_each_event_once_in_one_order_while_connections_are_cut(
    open_partitioned: OpenLog, partitioned_settings: LogSettings
) -> None:
    logs, reader = [open_partitioned() for _ in range(2)], open_partitioned()
    streams = [f"stream-{number}" for number in range(16)]
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, log, streams[half::2]) for half, log in enumerate(logs)]
        following = threads.submit(follow, reader, len(streams) * EACH)
        for _ in range(6):
            cut_a_connection(partitioned_settings)
        for one in writing:
            one.result()
        seen = following.result()

    assert seen == [(n.position, n.stream, n.version) for n in reader.notifications(0, 1_000)]
    assert Counter(stream for _, stream, _ in seen) == dict.fromkeys(streams, EACH)


def write(log: Log, streams: list[str]) -> None:
    """Append `EACH` events to each of *streams*, again if it is not known whether one was recorded."""
    for version in range(EACH):
        for stream in streams:
            while log.version(stream) == version:
                with suppress(LogError, Conflict):
                    append(log, stream, version, f"{version}")


def follow(log: Log, number: int) -> list[tuple[int, str, int]]:
    """The first *number* events, each as soon as it is in the order of the log."""
    seen: list[tuple[int, str, int]] = []
    while len(seen) < number:
        with suppress(LogError):
            rows = log.notifications(seen[-1][0] if seen else 0, 10)
            seen += [(row.position, row.stream, row.version) for row in rows]
    return seen


def cut_a_connection(made: LogSettings) -> None:
    """End a session that writes, or one that waits for its turn."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'WITH turn%'"
        " ORDER BY random() LIMIT 1"
    )
    with admin(made) as connection:
        connection.execute(query)


@pytest.mark.parametrize("position", [0, 1, 2**31 - 1, 2**31, 5 * 2**31 + 7, 2**53])
@pytest.mark.parametrize("distance", [0, 1, -1, 2**29, -(2**29)])
def test_the_key_of_a_claim_tells_its_position(position: int, distance: int) -> None:
    claimed = max(0, position + distance)

    assert position_of(claimed % 2**31, near=position) == claimed
