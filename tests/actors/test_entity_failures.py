"""An entity whose attempts, log or set-up fail."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from share_actors.actors.entity.turns import Turns
from share_actors.errors import LogError
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.log import Log
from share_actors.events.share import ShareState
from share_actors.events.share.messages import RetryShare
from tests.actors.fakes import CREATE, FakeWork, entity, queued, share_view, tell
from tests.conftest import within


def test_a_failed_attempt_is_repeated_once_the_next_is_due(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)
        share_entity.put(item)
        await item.receipt

        soon = datetime.now(UTC) + timedelta(milliseconds=100)
        failure = ReportFailure(kind="transient", reason="busy", retry_at=soon, max_attempts=3)
        work.finish(failure)
        while len(work.started) < 2:
            await asyncio.sleep(0.01)

        assert datetime.now(UTC) >= soon
        assert work.started[1][1].attempt == 2
        work.finish()
        assert item.outcome is not None
        assert (await item.outcome).status == "done"

    within(5, scenario())


def test_a_failure_is_an_outcome_with_its_reason_and_can_be_retried(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)
        share_entity.put(item)
        await item.receipt

        work.finish(ReportFailure(kind="failed", reason="no space on the backend"))

        assert item.outcome is not None
        failed = await item.outcome
        assert (failed.status, failed.reason) == ("failed", "no space on the backend")
        work.paused = False
        await tell(share_entity, RetryShare())
        assert (await share_view(share_entity)).status == "available"

    within(5, scenario())


def test_commands_are_refused_only_while_the_log_cannot_be_written(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        submit, broken = log.submit, True

        def full(*args: object) -> object:
            if broken:
                raise LogError("the disk is full; nothing was recorded")
            return submit(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(log, "submit", full)
        with pytest.raises(LogError, match="nothing was recorded"):
            await tell(share_entity, CREATE)

        broken = False
        assert (await tell(share_entity, CREATE)).status == "done"

    within(5, scenario())


def test_an_outcome_that_could_not_be_recorded_is_recorded_later(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)
        share_entity.put(item)
        await item.receipt
        submit, failures = log.submit, 2

        def full(*args: object) -> object:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise LogError("the disk is full; nothing was recorded")
            return submit(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(log, "submit", full)
        work.finish()

        assert item.outcome is not None
        assert (await item.outcome).status == "done"
        assert work.effects == ["create"]

    within(10, scenario())


class WorkWithoutThreads(FakeWork):
    """Work whose backend cannot be set up, since the machine has no thread left."""

    def preparation(self, command: Command, state: ShareState) -> None:
        raise RuntimeError("can't start new thread")


def test_a_set_up_that_cannot_begin_refuses_the_command_and_keeps_no_other_entity_waiting(
    log: Log,
) -> None:
    async def scenario() -> None:
        turns, next_one, item = Turns(), asyncio.Event(), queued(CREATE)
        share_entity = entity(log, WorkWithoutThreads(), fresh=True, turns=turns)

        share_entity.put(item)
        turns.add(next_one.set)
        await next_one.wait()

        assert b"can't start new thread" in ((await item.receipt).error or b"")
        assert share_entity.lost
        assert log.read("share-s1") == []

    within(5, scenario())


def test_a_turn_that_raises_keeps_no_other_from_being_taken() -> None:
    async def scenario() -> None:
        turns, next_one = Turns(), asyncio.Event()

        turns.add(lambda: exec("raise ValueError"))
        turns.add(next_one.set)
        await next_one.wait()

    within(5, scenario())
