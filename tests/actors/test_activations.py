"""Two activations of one share, of which one is stale: it neither replies nor acts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from share_actors.actors.messaging.messages import unpack_error
from share_actors.errors import LogError, Moved
from share_actors.events.log import Log
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import ExtendShare
from tests.actors.fakes import CREATE, FakeWork, ShareEntity, entity, queued, share_view, tell
from tests.conftest import within

ALLOW = AllowAccess(access_id="r1", access_type="user", access_to="bob")


def test_of_two_activations_the_stale_one_ends_with_a_conflict_and_calls_no_driver(
    log: Log,
) -> None:
    async def scenario() -> None:
        await tell(entity(log, FakeWork(), fresh=True), CREATE)
        stale, fresh = entity(log, work := FakeWork()), entity(log, FakeWork(), activation="act-2")
        await stale.view()
        await tell(fresh, ExtendShare(size=2))

        with pytest.raises(Moved):
            await tell(stale, ExtendShare(size=3))

        assert stale.lost
        assert work.effects == []
        assert (await share_view(fresh)).size == 2

    within(5, scenario())


@asynccontextmanager
async def stale_activation(log: Log) -> AsyncIterator[ShareEntity]:
    """An activation of a share that another one has extended and given a rule since."""
    await tell(entity(log, FakeWork(), fresh=True), CREATE)
    stale = entity(log, FakeWork())
    await stale.view()
    current = entity(log, FakeWork(), activation="act-2")
    await tell(current, ExtendShare(size=2), command_id="c2")
    await tell(current, ALLOW)
    yield stale
    assert stale.lost


def test_a_stale_activation_refuses_nothing(log: Log) -> None:
    async def scenario() -> None:
        async with stale_activation(log) as stale:
            with pytest.raises(Moved):  # not NotFound: the rule is active
                await tell(stale, DenyAccess(access_id=ALLOW.access_id))

    within(5, scenario())


def test_a_stale_activation_shows_no_view(log: Log) -> None:
    async def scenario() -> None:
        async with stale_activation(log) as stale:
            with pytest.raises(Moved):
                await stale.view()

    within(5, scenario())


def test_a_stale_activation_does_not_say_that_a_command_is_not_there(log: Log) -> None:
    async def scenario() -> None:
        async with stale_activation(log) as stale:
            with pytest.raises(Moved):
                await stale.outcome_of("c2")

    within(5, scenario())


def test_a_stale_activation_does_not_repeat_a_reply_with_its_old_view(log: Log) -> None:
    async def scenario() -> None:
        await tell(entity(log, FakeWork(), fresh=True), CREATE, command_id="c1")
        stale = entity(log, FakeWork())
        await stale.view()
        await tell(entity(log, FakeWork(), activation="act-2"), ExtendShare(size=2))

        with pytest.raises(Moved):
            await tell(stale, CREATE, command_id="c1", repeated=True)

    within(5, scenario())


def test_a_stale_activation_that_is_told_to_drop_the_entity_ends(log: Log) -> None:
    async def scenario() -> None:
        async with stale_activation(log) as stale:
            stale.drop()
            assert stale.lost

    within(5, scenario())


def test_an_activation_at_work_that_is_told_to_drop_the_entity_goes_on_if_it_is_current(
    log: Log,
) -> None:
    async def scenario() -> None:
        work = FakeWork(paused=True)
        share_entity, item = entity(log, work, fresh=True), queued(CREATE)
        share_entity.put(item)
        await item.receipt

        share_entity.drop()
        await share_entity.view()
        work.finish()

        assert item.outcome is not None
        assert (await item.outcome).status == "done"

    within(5, scenario())


def test_a_refusal_that_depends_on_events_that_were_not_recorded_is_not_given(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        share_entity = entity(log, FakeWork(), fresh=True)
        await tell(share_entity, CREATE)
        monkeypatch.setattr(log, "submit", _full)
        extend, other = queued(ExtendShare(size=2)), queued(ExtendShare(size=3))
        share_entity.put(extend)
        share_entity.put(other)

        for item in (extend, other):
            assert isinstance(unpack_error((await item.receipt).error or b""), LogError)

    within(5, scenario())


def _full(*_: object) -> None:
    raise LogError("the disk is full")
