"""A command that comes again gets its first reply and is performed once."""

import asyncio

import pytest

from share_actors.errors import InvalidRequest
from share_actors.events.log import Log
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import DeleteShare
from tests.actors.fakes import CREATE, FakeWork, entity, names, queued, tell
from tests.conftest import within


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


def test_a_request_of_an_earlier_version_may_be_repeated_by_a_later_one(log: Log) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        earlier = queued(CREATE, command_id="c1")
        whole = CREATE.model_dump_json().encode()  # with all defaults, as 0.2.0 sent it
        earlier.message = earlier.message._replace(body=whole)
        share_entity.put(earlier)
        first = await earlier.receipt

        repeated = await tell(share_entity, CREATE, command_id="c1")

        assert queued(CREATE).message.body != whole
        assert (repeated.status, repeated.version) == ("done", first.version)

    within(5, scenario())
