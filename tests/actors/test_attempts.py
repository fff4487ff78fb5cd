"""Attempts cut off by the end of their process, and pauses that no change of the clock can extend."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.entity.backoff import Backoff
from share_actors.config import BackendSettings
from share_actors.errors import Moved
from share_actors.events.attempts import Attempt, AttemptFailed, AttemptStarted
from share_actors.events.log import Log
from share_actors.values import Share, utc_now
from tests.actors.fakes import CREATE, FakeWork, entity, queued
from tests.actors.scripted_driver import STATE
from tests.conftest import within


async def cut_off_creations(log: Log, times: int) -> None:
    """End the process of a share in the middle of its creation, so many times."""
    for n in range(times):
        share_entity = entity(log, work := FakeWork(paused=True), activation=f"act-{n}")
        share_entity.put(item := queued(CREATE, command_id="c1", repeated=n > 0))
        await item.receipt
        while not work.started and not share_entity.idle:
            await asyncio.sleep(0.005)
        share_entity._end(Moved("killed"))


def test_an_attempt_that_was_cut_off_is_recorded_as_unknown_and_repeated(log: Log) -> None:
    async def scenario() -> None:
        await cut_off_creations(log, 2)

        events = [recorded.event for recorded in log.read("share-s1")]
        _, first, cut_off, second = events
        assert isinstance(first, AttemptStarted)
        assert isinstance(cut_off, AttemptFailed)
        assert isinstance(second, AttemptStarted)
        assert (cut_off.n, cut_off.kind) == (1, "unknown")
        assert (second.n, second.probe) == (2, True)

    within(5, scenario())


def test_a_creation_whose_every_attempt_is_cut_off_ends_in_error(log: Log) -> None:
    async def scenario() -> None:
        await cut_off_creations(log, 6)  # the fake gives up after 5

        share_entity = entity(log, FakeWork())
        outcome = await (await share_entity.outcome_of("c1"))
        assert outcome.status == "failed"
        assert outcome.reason == "cut off (gave up after 5 attempts)"

    within(5, scenario())


async def stop_creations(log: Log, times: int) -> None:
    """Stop a share in the middle of its creation as planned, so many times."""
    for n in range(times):
        share_entity = entity(log, work := FakeWork(paused=True), activation=f"stopped-{n}")
        share_entity.put(item := queued(CREATE, command_id="c1", repeated=n > 0))
        await item.receipt
        while not work.started:
            await asyncio.sleep(0.005)
        share_entity.hold()
        share_entity.cut_off()
        while share_entity.at_work:
            await asyncio.sleep(0.005)


def test_a_planned_stop_is_told_of_the_process_since_the_system_may_go_on(log: Log) -> None:
    async def scenario() -> None:
        await stop_creations(log, 1)

        [failure] = [r.event for r in log.read("share-s1") if isinstance(r.event, AttemptFailed)]
        assert failure.reason.startswith("the process that made it was stopped in order")

    within(5, scenario())


def test_planned_stops_never_count_towards_the_limit_of_attempts(log: Log) -> None:
    async def scenario() -> None:
        await stop_creations(log, 7)  # the fake gives up after 5
        await cut_off_creations(log, 4)

        failures = [r.event for r in log.read("share-s1") if isinstance(r.event, AttemptFailed)]
        assert [failure.planned for failure in failures] == [True] * 7 + [False] * 3
        share_entity = entity(log, FakeWork())
        outcome = await (await share_entity.outcome_of("c1"))
        assert outcome.status == "done"

    within(5, scenario())


@pytest.mark.parametrize(("n", "pause_s"), [(1, 0.0), (2, 1.0), (3, 2.0), (4, 4.0), (9, 10.0)])
def test_the_first_attempt_cut_off_is_repeated_at_once_later_ones_after_a_pause(
    n: int, pause_s: float
) -> None:
    work = ShareWork(BackendDrivers({"main": BackendSettings(driver="any", max_backoff_s=10.0)}))
    state, now = STATE.replace(attempt=Attempt(n=n, effect="create")), utc_now()

    assert work.cut_off(state, now).retry_at == now + timedelta(seconds=pause_s)


def test_the_pause_is_limited_also_for_a_backend_that_is_not_configured() -> None:
    state = STATE.replace(share=Share(id="s1", size=1, host="gone"))

    assert ShareWork(BackendDrivers({})).max_pause_s(state) > 0


def test_setting_the_clock_back_does_not_extend_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        backoff, due = Backoff(), utc_now() + timedelta(seconds=2)
        ticks = count(start=100.0, step=1.5)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: next(ticks))

        now = due - timedelta(seconds=2)
        long_ago = now - timedelta(days=1)
        assert backoff.remaining_s(due, now, 60.0) == 2.0
        assert backoff.remaining_s(due, long_ago, 60.0) == 0.5
        assert backoff.remaining_s(due, long_ago, 60.0) <= 0

    within(5, scenario())


def test_a_pause_recorded_before_the_clock_was_set_back_has_at_most_the_maximal_length() -> None:
    async def scenario() -> None:
        due = utc_now() + timedelta(days=365)

        assert Backoff().remaining_s(due, utc_now(), 60.0) <= 60.0
        assert Backoff().remaining_s(None, utc_now(), 60.0) == 0.0

    within(5, scenario())
