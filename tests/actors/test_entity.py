"""The shell: events are durable before any reply; one attempt at a time; conflicts end stale activations."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from share_actors.errors import Busy, InvalidRequest, NotFound, Refused
from share_actors.events.attempts import AttemptStarted
from share_actors.events.log import Log
from share_actors.events.share.messages import DeleteShare, ExtendShare, ShareCreationRequested
from tests.actors.fakes import CREATE, FakeWork, entity, names, queued, tell
from tests.conftest import within


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


def test_a_request_that_changes_nothing_is_done_and_records_no_event(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE, command_id="c1")
        assert (await tell(share_entity, CREATE, command_id="c2")).status == "done"

        assert "RequestJoined" not in names(log)

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
