"""Group commit: many appends in few transactions, and errors that affect only their own appends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from share_actors.errors import LogError, LogInDoubt
from share_actors.events.log import Conflict, Log, infrastructure
from share_actors.events.log.sqlite.recorder import ChunkedRecorder
from tests.events.appending import append, at_once, entries, eventually, ids
from tests.events.conftest import OpenLog

Rows = Sequence[StoredEvent]


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each transaction, for logs opened from now on."""
    sizes: list[int] = []

    class CountingRecorder(ChunkedRecorder):
        def insert_events(self, stored_events: Rows, **kwargs: Any) -> Sequence[int] | None:
            sizes.append(len(stored_events))
            return super().insert_events(stored_events, **kwargs)

    monkeypatch.setattr(infrastructure, "ChunkedRecorder", CountingRecorder)
    return sizes


@pytest.fixture
def pending_errors(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A list of exceptions; each transaction raises and removes one."""
    errors: list[Exception] = []

    class FailingRecorder(ChunkedRecorder):
        def insert_events(self, stored_events: Rows, **kwargs: Any) -> Sequence[int] | None:
            if errors:
                raise errors.pop()
            return super().insert_events(stored_events, **kwargs)

    monkeypatch.setattr(infrastructure, "ChunkedRecorder", FailingRecorder)
    return errors


def appends(log: Log, streams: Sequence[str], after: int = 0) -> list[Callable[[], object]]:
    """Return an append to each of *streams*, for `at_once`."""
    return [lambda s=s: log.append(s, after, entries("x")) for s in streams]  # type: ignore[misc]


def test_appends_of_one_turn_of_the_loop_share_a_transaction(
    transactions: list[int], open_sqlite: OpenLog
) -> None:
    at_once(*appends(open_sqlite(), [f"s{i}" for i in range(500)]))

    assert transactions == [500]


def test_a_single_append_does_not_wait_for_others(
    transactions: list[int], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()

    append(log, "a", 0, "x")
    append(log, "a", 1, "y")

    assert transactions == [1, 1]


def test_a_conflict_is_found_in_few_transactions(
    transactions: list[int], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()
    append(log, "s77", 0, "old")

    results = at_once(*appends(log, [f"s{i}" for i in range(256)]))

    assert [i for i, r in enumerate(results) if isinstance(r, Exception)] == [77]
    assert len(transactions) < 20


def test_an_append_before_a_conflict_in_its_stream_is_recorded(open_sqlite: OpenLog) -> None:
    log = open_sqlite()

    results = at_once(*appends(log, "ab"), *appends(log, "bc"))

    assert [type(r) for r in results] == [tuple, tuple, Conflict, tuple]
    assert [len(log.read(s)) for s in "abc"] == [1, 1, 1]


def test_a_storage_error_fails_its_own_batch_only(
    pending_errors: list[Exception], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()
    pending_errors.append(OperationalError("disk I/O error"))

    failed = at_once(*appends(log, "abc"))
    again = at_once(*appends(log, "abc"))

    assert {type(r) for r in failed} == {LogError}
    assert "disk I/O error: check that" in str(failed[0])
    assert str(failed[0]).endswith("; nothing was recorded")
    assert {type(r) for r in again} == {tuple}


def test_nothing_is_said_to_be_recorded_or_not_if_the_log_cannot_be_read_afterwards(
    pending_errors: list[Exception], open_sqlite: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x")
    pending_errors.append(OperationalError("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(log._recorder, "select_events", _unreadable)
        with pytest.raises(LogInDoubt, match="it is unknown whether the events were recorded"):
            append(log, "a", 1, "y")

    assert append(log, "a", 1, "y")[0].version == 2


def _unreadable(*_: object, **__: object) -> None:
    raise OperationalError("disk I/O error")


def test_a_sender_that_does_not_know_its_stream_is_told_so_even_if_the_storage_fails(
    pending_errors: list[Exception], open_sqlite: OpenLog
) -> None:
    log, other = open_sqlite(), open_sqlite()
    append(log, "a", 0, "x")
    append(other, "a", 1, "y")
    pending_errors.append(OperationalError("database or disk is full"))

    with pytest.raises(Conflict, match="version 2 was written by another activation"):
        append(log, "a", 1, "z")


def test_a_commit_with_a_lost_connection_is_repeated_once(
    pending_errors: list[Exception], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()
    pending_errors.append(OperationalError("server closed the connection unexpectedly"))
    asyncio.run(log.append("a", 0, entries("x")))

    pending_errors += [OperationalError("the connection is lost")] * 2
    with pytest.raises(LogError, match="lost"):
        asyncio.run(log.append("a", 1, entries("y")))
    assert [r.version for r in log.read("a")] == [1]


def test_the_writer_thread_survives_an_unexpected_error(
    pending_errors: list[Exception], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()
    pending_errors.append(ZeroDivisionError("!"))

    with pytest.raises(LogError, match="!"):
        append(log, "a", 0, "x")

    assert append(log, "a", 0, "x")[0].version == 1


def test_an_append_submitted_after_a_failed_one_is_not_recorded(
    pending_errors: list[Exception], open_sqlite: OpenLog
) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x")
    pending_errors.append(OperationalError("disk I/O error"))

    async def pipeline() -> list[object]:
        first = asyncio.ensure_future(log.append("a", 1, entries("y")))
        assert await asyncio.to_thread(eventually, lambda: not pending_errors)
        second = asyncio.ensure_future(log.append("a", 2, entries("z")))
        return [*await asyncio.gather(first, second, return_exceptions=True)]

    assert {type(r) for r in asyncio.run(pipeline())} <= {LogError, Conflict}
    assert ids(log.read("a")) == ["x"]
    assert append(log, "a", 1, "y")[0].version == 2


def test_the_events_of_a_cancelled_caller_are_recorded(open_sqlite: OpenLog) -> None:
    log = open_sqlite()

    async def cancelled() -> None:
        task = asyncio.ensure_future(log.append("a", 0, entries("x")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await log.append("b", 0, entries("y"))

    asyncio.run(cancelled())

    assert ids(log.read("a")) == ["x"]


def test_closing_a_log_writes_the_submitted_appends(open_sqlite: OpenLog) -> None:
    log = open_sqlite()

    async def append_and_close() -> list[object]:
        tasks = [asyncio.ensure_future(log.append(f"s{i}", 0, entries("x"))) for i in range(9)]
        await asyncio.sleep(0)
        log.close()
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(append_and_close())) == 9
    assert open_sqlite().head() == 9


def test_a_closed_log_accepts_no_appends(open_sqlite: OpenLog) -> None:
    log = open_sqlite()
    log.close()
    log.close()

    with pytest.raises(LogError, match="the log is closed; nothing was recorded"):
        append(log, "a", 0, "x")
    with pytest.raises(LogError):
        log.read("a")


def test_a_closed_event_loop_does_not_stop_other_appends(open_sqlite: OpenLog) -> None:
    log = open_sqlite()
    loop = asyncio.new_event_loop()
    loop.call_soon(log._group_commit.submit, "a", 0, [], lambda _: None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()

    assert append(log, "b", 0, "x")[0].version == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from share_actors.config import LogSettings
from tests.events.appending import Log, entries

async def write(log):
    for version in range(30):
        todo = [log.append(f"{sys.argv[2]}-{i}", version, entries("x")) for i in range(20)]
        await asyncio.gather(*todo)

log = Log.open(LogSettings(), Path(sys.argv[1]))
asyncio.run(write(log))
log.close()
"""


def test_no_event_is_lost_when_several_processes_write_to_one_log(
    open_sqlite: OpenLog, log_path: Path
) -> None:
    program = [sys.executable, "-c", WRITER, str(log_path)]
    writers = [subprocess.Popen([*program, name]) for name in "abc"]
    log, at = open_sqlite(), 0
    seen: list[tuple[str, int]] = []

    while any(writer.poll() is None for writer in writers) or at < log.head():
        for n in log.notifications(at, 100):
            assert n.position == at + 1
            at = n.position
            seen.append((n.stream, n.version))

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(set(seen)) == len(seen) == 3 * 20 * 30
