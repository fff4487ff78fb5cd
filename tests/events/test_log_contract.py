"""The contract of every log, whichever store it uses."""

from __future__ import annotations

import asyncio
import base64
from threading import Thread

import pytest
from pydantic import SecretStr

from share_actors.errors import LogError
from share_actors.events.log import Conflict, Log
from tests.events.appending import append, at_once, entries, eventually, ids
from tests.events.conftest import OpenLog
from tests.golden.examples import ENVELOPE, EXAMPLES

KEY, OTHER_KEY = (base64.b64encode(bytes([i]) * 32).decode() for i in (1, 2))


class LogContract:
    # -- append and read ---------------------------------------------------------------------------
    def test_a_new_log_is_empty(self, open_log: OpenLog) -> None:
        log = open_log()

        assert (log.head(), log.read("a"), list(log.notifications(0, 10))) == (0, [], [])

    def test_appended_events_can_be_read(self, open_log: OpenLog) -> None:
        log = open_log()

        written = append(log, "a", 0, "x", "y")

        assert [r.version for r in written] == [1, 2]
        assert [(r.version, r.event_id, r.envelope, r.event) for r in log.read("a")] == [
            (r.version, r.event_id, r.envelope, r.event) for r in written
        ]

    def test_every_event_type_is_read_as_it_was_appended(self, open_log: OpenLog) -> None:
        log = open_log()

        asyncio.run(log.append("a", 0, [(ENVELOPE, event) for event in EXAMPLES]))

        assert [r.event for r in log.read("a")] == list(EXAMPLES)

    def test_a_read_may_begin_and_end_anywhere(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, *"vwxyz")

        assert ids(log.read("a", after=1, upto=3)) == ["w", "x"]

    def test_the_version_of_a_stream_is_that_of_its_last_event(self, open_log: OpenLog) -> None:
        log, other = open_log(), open_log()
        append(log, "a", 0, *"xyz")
        append(log, "b", 0, "w")

        assert [other.version(stream) for stream in ("a", "b", "none")] == [3, 1, 0]

    def test_versions_that_are_asked_for_at_once_are_those_of_the_last_events(
        self, open_log: OpenLog
    ) -> None:
        log, other = open_log(), open_log()
        append(log, "a", 0, *"xyz")
        append(log, "b", 0, "w")
        streams = ["none", "a", *(f"none{n}" for n in range(300)), "b", "a"]

        async def ask() -> list[int]:
            return await asyncio.gather(*map(other.confirmed_version, streams))

        assert asyncio.run(ask()) == [0, 3, *[0] * 300, 1, 3]

    def test_a_version_of_a_closed_log_cannot_be_confirmed(self, open_log: OpenLog) -> None:
        log = open_log()
        log.close()

        with pytest.raises(LogError):
            asyncio.run(log.confirmed_version("a"))

    def test_appending_no_events_records_nothing(self, open_log: OpenLog) -> None:
        log = open_log()

        assert append(log, "a", 3) == ()
        assert log.head() == 0

    def test_positions_are_the_order_of_all_events(self, open_log: OpenLog) -> None:
        log = open_log()

        first = append(log, "a", 0, "x")
        second = append(log, "b", 0, "y", "z")

        positions = [r.position for r in (*first, *second)]
        assert positions == sorted(set(positions))
        assert [n.position for n in log.notifications(0, 10)] == positions
        assert log.head() == positions[-1]

    def test_notifications_continue_after_a_position(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, *"vwxyz")

        first = log.notifications(0, 2)
        rest = log.notifications(first[-1].position, 10)

        assert ids([log.decode(n) for n in first]) == ["v", "w"]
        assert ids([log.decode(n) for n in rest]) == ["x", "y", "z"]
        assert [(n.stream, n.version) for n in first] == [("a", 1), ("a", 2)]

    def test_a_reopened_log_has_the_appended_events(self, open_log: OpenLog) -> None:
        log = open_log()
        written = append(log, "a", 0, "x")
        log.close()

        assert log_contents(open_log()) == [("a", 1, written[0].event_id)]

    def test_a_closed_log_can_neither_be_read_nor_written(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, "x")
        log.close()

        for call in (log.head, lambda: log.read("a"), lambda: append(log, "a", 1, "y")):
            with pytest.raises(LogError):
                call()

    def test_a_log_that_stopped_writing_can_still_be_read(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, "x")
        log.stop_writing()

        with pytest.raises(LogError, match="nothing was recorded"):
            append(log, "a", 1, "y")

        assert ids(log.read("a")) == ["x"]

    # -- conflict ----------------------------------------------------------------------------------
    def test_an_append_after_an_outdated_version_conflicts(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, "x")

        with pytest.raises(Conflict, match="another"):
            append(log, "a", 0, "y", "z")

        assert ids(log.read("a")) == ["x"]

    def test_an_append_that_would_leave_a_gap_conflicts(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "a", 0, "x")

        with pytest.raises(Conflict, match="has 1 events"):
            append(log, "a", 2, "z")

        assert append(log, "a", 1, "y")[0].version == 2

    def test_two_activations_of_one_stream_cannot_both_write(self, open_log: OpenLog) -> None:
        one, other = open_log(), open_log()
        append(one, "a", 0, "x")
        append(other, "a", 1, "y")

        with pytest.raises(Conflict):
            append(one, "a", 1, "z")

        assert ids(one.read("a")) == ["x", "y"]

    def test_a_conflict_in_a_batch_fails_only_its_own_append(self, open_log: OpenLog) -> None:
        log = open_log()
        append(log, "s3", 0, "old")

        results = at_once(*(lambda i=i: log.append(f"s{i}", 0, entries("new")) for i in range(8)))

        assert [isinstance(r, Conflict) for r in results] == [i == 3 for i in range(8)]
        assert [ids(log.read(f"s{i}")) for i in (2, 3, 4)] == [["new"], ["old"], ["new"]]

    def test_appends_of_one_stream_in_one_batch_are_in_order(self, open_log: OpenLog) -> None:
        log = open_log()

        results = at_once(*(lambda i=i: log.append("a", i, entries(str(i))) for i in range(5)))

        assert not [r for r in results if isinstance(r, Exception)]
        assert ids(log.read("a")) == ["0", "1", "2", "3", "4"]

    def test_an_append_after_a_conflict_in_the_same_batch_conflicts_too(
        self, open_log: OpenLog
    ) -> None:
        log = open_log()
        append(log, "a", 0, "theirs")

        results = at_once(
            lambda: log.append("a", 0, entries("mine")),
            lambda: log.append("a", 1, entries("follows mine")),
        )

        assert [type(r) for r in results] == [Conflict, Conflict]
        assert append(log, "a", 1, "after reading")[0].version == 2

    # -- concurrency ---------------------------------------------------------------------------
    def test_a_reader_that_follows_two_writers_misses_no_event(self, open_log: OpenLog) -> None:
        logs = [open_log(), open_log()]
        writers = [Thread(target=write_many, args=(log, f"w{i}")) for i, log in enumerate(logs)]
        seen: list[tuple[str, int]] = []
        reader, at = open_log(), 0

        for writer in writers:
            writer.start()
        while any(w.is_alive() for w in writers) or at < reader.head():
            for n in reader.notifications(at, 7):
                seen.append((n.stream, n.version))
                at = n.position

        assert len(seen) == len(set(seen)) == 2 * 10 * 20
        assert [v for s, v in seen if s == "w1-3"] == list(range(1, 21))

    # -- state snapshots ---------------------------------------------------------------------------
    def test_the_newest_snapshot_is_loaded(self, open_log: OpenLog) -> None:
        log = open_log()

        log.save_snapshot("a", 10, "share.v1", b"old")
        log.save_snapshot("a", 20, "share.v1", b"\x00new")

        assert eventually(lambda: log.load_snapshot("a") == (20, "share.v1", b"\x00new"))
        assert log.load_snapshot("b") is None

    def test_the_snapshot_of_the_highest_version_is_loaded_whichever_was_written_last(
        self, open_log: OpenLog
    ) -> None:
        newer, older = open_log(), open_log()
        newer.save_snapshot("a", 20, "share.v1", b"newer")
        newer.close()
        older.save_snapshot("a", 10, "share.v1", b"older")
        older.close()

        assert open_log().load_snapshot("a") == (20, "share.v1", b"newer")

    def test_closing_a_log_writes_the_queued_snapshots(self, open_log: OpenLog) -> None:
        log = open_log()
        for i in range(50):
            log.save_snapshot(f"s{i}", 1, "k", b"state")
        log.close()

        assert log.snapshot_failures == 0
        assert open_log().load_snapshot("s49") == (1, "k", b"state")

    def test_the_same_snapshot_from_two_activations_is_not_a_failure(
        self, open_log: OpenLog
    ) -> None:
        one, other = open_log(), open_log()

        for log in (one, other):
            for stream in "abc":
                log.save_snapshot(stream, 1, "k", b"state")
            log.close()

        assert (one.snapshot_failures, other.snapshot_failures) == (0, 0)

    # -- compression and encryption ----------------------------------------------------------------
    @pytest.mark.parametrize("compress", [True, "dictionary"])
    def test_compressed_and_encrypted_events_can_be_read(
        self, open_log: OpenLog, compress: bool | str
    ) -> None:
        log = open_log(compress=compress, cipher_key=secret(KEY))
        append(log, "a", 0, "confidential")
        log.save_snapshot("a", 1, "k", b"state")

        assert ids(log.read("a")) == ["confidential"]
        assert eventually(lambda: log.load_snapshot("a") == (1, "k", b"state"))
        assert b"confidential" not in log.notifications(0, 1)[0].state

    def test_compression_may_be_turned_on_and_off(self, open_log: OpenLog) -> None:
        for version, compress in enumerate((False, True, "dictionary", True, False)):
            append(open_log(compress=compress), "a", version, str(version))

        assert ids(open_log().read("a")) == ["0", "1", "2", "3", "4"]

    def test_another_key_is_refused_before_anything_is_written(self, open_log: OpenLog) -> None:
        append(open_log(cipher_key=secret(KEY)), "a", 0, "x")

        for key in (secret(OTHER_KEY), None):
            with pytest.raises(LogError, match=r"log\.cipher_key is not the key") as caught:
                open_log(cipher_key=key)
            assert OTHER_KEY not in str(caught.value)

    def test_a_key_for_a_log_that_is_not_encrypted_is_refused(self, open_log: OpenLog) -> None:
        append(open_log(), "a", 0, "x")

        with pytest.raises(LogError, match=r"log\.cipher_key"):
            open_log(cipher_key=secret(KEY))


class TestSqliteLog(LogContract):
    @pytest.fixture
    def open_log(self, open_sqlite: OpenLog) -> OpenLog:
        return open_sqlite


class TestPostgresLog(LogContract):
    @pytest.fixture
    def open_log(self, open_postgres: OpenLog) -> OpenLog:
        return open_postgres


class TestPartitionedLog(LogContract):
    @pytest.fixture
    def open_log(self, open_partitioned: OpenLog) -> OpenLog:
        return open_partitioned


class TestInMemoryLog(LogContract):
    @pytest.fixture
    def open_log(self, open_in_memory: OpenLog) -> OpenLog:
        return open_in_memory


def secret(key: str) -> SecretStr:
    return SecretStr(key)


def log_contents(log: Log) -> list[tuple[str, int, str]]:
    events = [log.decode(n) for n in log.notifications(0, 1000)]
    return [(r.stream, r.version, r.event_id) for r in events]


def write_many(log: Log, name: str) -> None:
    """Append twenty events to each of ten streams, ten appends at a time."""

    async def run() -> None:
        for version in range(20):
            await asyncio.gather(
                *(log.append(f"{name}-{i}", version, entries("x")) for i in range(10))
            )

    asyncio.run(run())
