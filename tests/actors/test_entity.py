"""The shell: events are durable before any reply; one attempt at a time; conflicts end stale activations."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from share_actors.actors.entity.turns import Turns
from share_actors.errors import Busy, InvalidRequest, LogError, NotFound, Refused
from share_actors.events.attempts import AttemptStarted, ReportFailure
from share_actors.events.decider import Command
from share_actors.events.log import Log
from share_actors.events.share import ShareState
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import (
    DeleteShare,
    ExtendShare,
    RetryShare,
    ShareCreationRequested,
)
from tests.actors.fakes import CREATE, FakeWork, entity, queued, share_view, tell
from tests.conftest import within


def names(log: Log) -> list[str]:
    return [type(recorded.event).__name__ for recorded in log.read("share-s1")]


def test_a_request_and_its_first_attempt_are_one_append(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)

        share_entity.put(item)
        receipt = await item.receipt

        assert (receipt.status, receipt.version) == ("accepted", 1)
        first, second = log.read("share-s1")
        assert isinstance(first.event, ShareCreationRequested)
        assert isinstance(second.event, AttemptStarted)
        assert work.effects == ["create"]

    within(5, scenario())


def test_the_outcome_carries_the_share(log: Log) -> None:
    async def scenario() -> None:
        outcome = await tell(entity(log, FakeWork(), fresh=True), CREATE)

        assert outcome.status == "done"
        assert b'"status":"available"' in (outcome.view or b"")

    within(5, scenario())


def test_the_driver_is_given_the_requester_and_the_number_of_the_attempt(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork()
        await tell(entity(log, work, fresh=True), CREATE)

        [(_, context)] = work.started
        assert (context.user_id, context.request_id, context.attempt) == ("alice", "req-1", 1)
        assert context.token == "act-1:2"

    within(5, scenario())


def test_every_event_names_its_request_its_user_and_its_time(log: Log) -> None:
    async def scenario() -> None:
        await tell(entity(log, FakeWork(), fresh=True), CREATE, command_id="c1")

        requested, started, created = (r.envelope for r in log.read("share-s1"))
        assert requested.command_id == "c1"
        assert started.command_id is None
        assert created.correlation_id == started.correlation_id == "c1"
        assert created.user_id == "alice"
        assert abs(created.at - datetime.now(UTC)) < timedelta(minutes=1)

    within(5, scenario())


def test_a_new_activation_continues_the_work_that_is_pending_in_the_log(log: Log) -> None:
    async def scenario() -> None:
        entity(log, FakeWork(paused=True), fresh=True).put(item := queued(CREATE))
        await item.receipt

        work = FakeWork()
        share_entity = entity(log, work, activation="act-2")
        outcome = await share_entity.outcome_of(item.message.command_id)

        assert (await outcome).status == "done"
        assert work.started[0][1].attempt == 2

    within(5, scenario())


def test_each_command_of_a_turn_is_decided_on_the_state_after_the_one_before(
    log: Log,
) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE)
        extend, other = queued(ExtendShare(size=2)), queued(ExtendShare(size=3))

        share_entity.put(extend)
        share_entity.put(other)

        assert (await extend.receipt).status == "accepted"
        refused = await other.receipt
        assert b"extending" in (refused.error or b"")

    within(5, scenario())


def test_a_repeated_command_gets_the_first_reply_and_is_performed_once(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork()
        share_entity = entity(log, work, fresh=True)
        first = await tell(share_entity, CREATE, command_id="c1")
        repeated = await tell(share_entity, CREATE, command_id="c1")

        assert (repeated.status, repeated.version) == (first.status, first.version)
        assert work.effects == ["create"]
        assert len(names(log)) == 3

    within(5, scenario())


def test_the_same_command_twice_in_one_turn_is_recorded_once(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        first, second = queued(CREATE, command_id="c1"), queued(CREATE, command_id="c1")

        share_entity.put(first)
        share_entity.put(second)

        assert (await first.receipt).version == (await second.receipt).version == 1
        assert names(log).count("ShareCreationRequested") == 1

    within(5, scenario())


def test_a_repeated_request_for_pending_work_has_a_receipt_of_its_own(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(paused=True), fresh=True)
        first, same_turn, later = (queued(CREATE, command_id=f"c{n}") for n in range(3))
        share_entity.put(first)
        share_entity.put(same_turn)
        await same_turn.receipt
        share_entity.put(later)
        await later.receipt
        assert names(log).count("RequestJoined") == 2

        successor = entity(log, FakeWork())  # as if the first activation had ended
        outcomes = [await successor.outcome_of(f"c{n}") for n in range(3)]

        assert [(await outcome).status for outcome in outcomes] == ["done"] * 3

    within(5, scenario())


def test_a_request_that_changes_nothing_is_done_and_records_no_event(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE, command_id="c1")
        assert (await tell(share_entity, CREATE, command_id="c2")).status == "done"

        assert "RequestJoined" not in names(log)

    within(5, scenario())


def test_a_command_id_used_for_another_request_is_refused(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE, command_id="c1")

        with pytest.raises(InvalidRequest, match="c1 was used before") as caught:
            await tell(share_entity, DeleteShare(), command_id="c1")
        assert caught.value.field == "command_id"

    within(5, scenario())


def test_a_repeated_command_older_than_memory_gets_its_first_reply(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE, command_id="first")
        for n in range(140):
            rule = AllowAccess(access_id=f"r{n}", access_type="ip", access_to=f"10.0.0.{n}")
            await tell(share_entity, rule)

        reply = await tell(share_entity, CREATE, command_id="first", repeated=True)

        assert (reply.status, reply.version) == ("done", 1)
        assert names(log).count("ShareCreationRequested") == 1

    within(20, scenario())


def test_a_command_id_is_remembered_through_passivation_and_snapshots(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True, snapshot_every=2)
        await tell(share_entity, CREATE, command_id="c1")
        share_entity.passivate()
        while log.load_snapshot("share-s1") is None:
            await asyncio.sleep(0.01)

        successor = entity(log, work := FakeWork(), snapshot_every=2)

        assert (await tell(successor, CREATE, command_id="c1")).version == 1
        assert work.effects == []

    within(5, scenario())


def test_a_share_that_does_not_exist_is_not_found(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork())

        with pytest.raises(NotFound, match="there is no share s1"):
            await tell(share_entity, DeleteShare())
        with pytest.raises(NotFound):
            await share_entity.view()
        assert names(log) == []

    within(5, scenario())


def test_a_rejected_command_records_no_event(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE)
        before = names(log)

        with pytest.raises(Refused, match="is not more than the present 1 GiB"):
            await tell(share_entity, ExtendShare(size=1))
        assert names(log) == before

    within(5, scenario())


def test_a_command_that_the_backend_cannot_carry_out_is_refused_and_records_no_event(
    log: Log,
) -> None:
    async def scenario() -> None:
        work = FakeWork()
        work.refusal = InvalidRequest("protocol: no", field="protocol", value="CIFS")

        with pytest.raises(InvalidRequest, match="protocol"):
            await tell(entity(log, work, fresh=True), CREATE)
        assert names(log) == []

    within(5, scenario())


def test_an_entity_wrongly_taken_as_fresh_reads_its_stream_and_decides_again(log: Log) -> None:
    async def scenario() -> None:
        await tell(entity(log, FakeWork(), fresh=True), CREATE, command_id="c1")

        second = entity(log, FakeWork(), fresh=True, activation="act-2")

        assert (await tell(second, CREATE, command_id="c1")).version == 1
        with pytest.raises(Refused, match="exists already"):
            await tell(second, CREATE.replace(size=5), command_id="c2")

    within(5, scenario())


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


def test_a_deletion_requested_during_creation_is_performed_after_it(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, create, delete = (
            entity(log, work, fresh=True),
            queued(CREATE),
            queued(DeleteShare()),
        )
        share_entity.put(create)
        await create.receipt
        share_entity.put(delete)
        await delete.receipt
        assert work.effects == ["create"]

        work.finish()
        while len(work.started) < 2:
            await asyncio.sleep(0.01)
        work.finish()

        assert create.outcome is not None
        assert delete.outcome is not None
        assert (await create.outcome).status == "done"
        assert (await delete.outcome).status == "done"
        assert work.effects == ["create", "delete"]

    within(5, scenario())


def test_a_full_mailbox_refuses_further_commands_as_busy(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True, mailbox=2)
        items = [queued(CREATE), queued(DeleteShare()), queued(DeleteShare())]
        for item in items:
            share_entity.put(item)

        refused = await items[2].receipt

        assert b'"busy"' in (refused.error or b"")
        assert (await items[0].receipt).status == "accepted"
        assert Busy("", retry_after=0.1).retry_after == 0.1

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


def test_an_entity_is_idle_only_once_no_work_is_pending(log: Log) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)
        share_entity.put(item)
        await item.receipt
        assert not share_entity.idle

        work.finish()
        assert item.outcome is not None
        await item.outcome
        while not share_entity.idle:
            await asyncio.sleep(0.01)

    within(5, scenario())


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
