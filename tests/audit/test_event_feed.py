"""`system.events`: in order, resumable by position, and live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from share_actors import testing
from share_actors.errors import Forbidden, InvalidRequest
from share_actors.testing import InMemoryLog, SyncInProcessSystem, sync_system
from share_actors.values import RequestContext
from tests.conftest import within


@pytest.fixture
def system() -> Iterator[SyncInProcessSystem]:
    with closing(InMemoryLog()) as log, sync_system(log=log) as started:
        yield started


def test_every_event_comes_once_and_in_order_through_a_resumption(
    system: SyncInProcessSystem,
) -> None:
    share = system.create_share(size=1)
    seen = [event.position for event in islice(system.events(), 2)]
    share.extend(2)

    seen += [event.position for event in islice(system.events(since=seen[-1]), 4)]

    assert seen == list(range(1, 7))


def test_a_new_event_arrives_within_a_second() -> None:
    async def scenario() -> None:
        async with testing.system() as started:
            events = started.events(since=datetime.now(UTC), kind="share.resized")
            share = await started.create_share(size=1)
            await share.extend(2)
            asked = datetime.now(UTC)

            event: Any = (await anext(events)).event

            assert event.size == 2
            assert (datetime.now(UTC) - asked).total_seconds() < 1

    within(30, scenario())


def test_filters_choose_the_events_of_one_share(system: SyncInProcessSystem) -> None:
    first, second = system.create_share(size=1), system.create_share(size=1)
    events = system.events(entity=second.id)

    streams = {event.stream for event in islice(events, 3)}

    assert first.id != second.id
    assert streams == {f"share-{second.id}"}


def test_events_go_on_after_the_manager_was_killed() -> None:
    async def scenario() -> None:
        async with testing.system() as started:
            events = started.events(kind="share.created")
            await started.create_share(size=1)
            first = await anext(events)
            await started.kill_manager()
            await started.create_share(size=1)

            assert (await anext(events)).position > first.position

    within(30, scenario())


@pytest.mark.parametrize(
    ("since", "filters"),
    [
        (-1, {}),
        (True, {}),
        ("7", {}),
        (2**63, {}),
        (datetime(2026, 3, 1), {}),
        (0, {"kind": "nothing"}),
        (0, {"owner": "alice"}),
    ],
)
def test_a_bad_argument_is_refused_at_once(
    system: SyncInProcessSystem, since: Any, filters: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest) as error:
        system.events(since, **filters)

    assert error.value.field in ("since", *filters)


def test_a_position_of_another_log_is_refused(system: SyncInProcessSystem) -> None:
    with pytest.raises(InvalidRequest, match="beyond the log's last position"):
        next(system.events(since=10_000))


def test_a_project_does_not_see_the_events_of_all(system: SyncInProcessSystem) -> None:
    member = system.as_user(RequestContext(user_id="eve", project_id="web", roles=("admin",)))

    with pytest.raises(Forbidden):
        next(member.events())
