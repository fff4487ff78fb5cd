"""The placement of a creation for which nothing is looked up: the choice of the scheduler, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.scheduling.immediate import may_be_immediate, place_immediately
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.events.share.messages import CreateShare
from share_actors.values import Assignment, nest_spec
from tests.actors.in_process import tell
from tests.actors.two_backend_system import TwoBackendSystem
from tests.waiting import until_async


def create(share_id: str, **fields: Any) -> CommandMessage:
    properties = {"size": 1, "host": "", "project_id": "demo", "user_id": "alice", **fields}
    return tell(share_id, CreateShare(**nest_spec({"share_id": share_id, **properties})))


def placed(scheduler: Scheduler, message: CommandMessage) -> Assignment | None:
    assert message.placement_request is not None
    if not may_be_immediate(scheduler, message, message.placement_request):
        return None
    return place_immediately(scheduler, message, message.placement_request)


async def reported(system: TwoBackendSystem) -> Scheduler:
    """The scheduler once both backends have reported."""
    scheduler = system.manager._scheduler
    await until_async(lambda: len(scheduler.backend_reports.all()) == 2)
    return scheduler


def test_it_chooses_the_pool_that_the_scheduler_chooses_and_takes_its_room(
    run_scenario: Callable[..., None],
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        scheduler, message = await reported(system), create("s2")
        await system.create("s1")
        assert message.placement_request is not None
        assignment = placed(scheduler, create("s3"))

        scheduler.ledger.watch(Decision("s2", message.command_id))
        slowly = await scheduler.place(message, message.placement_request)

        assert assignment is not None
        assert assignment._replace(extra_specs=None) == slowly
        assert scheduler.ledger.room("plain#plain").provisioned == 2 + 1

    run_scenario(scenario)


@pytest.mark.parametrize(
    "fields",
    [
        {"share_type": "gold"},
        {"share_network_id": "net"},
        {"same_host": ("s1",)},
        {"different_host": ("s1",)},
        {"size": 1_000_000},
        {"host": "plain#none"},
    ],
)
def test_it_leaves_what_must_be_looked_up_or_fits_nowhere_to_the_scheduler(
    run_scenario: Callable[..., None], fields: dict[str, Any]
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        scheduler = await reported(system)

        assert placed(scheduler, create("s1", **fields)) is None
        assert scheduler.ledger.host_of("s1") == ""

    run_scenario(scenario, capacity_gib=10)


def test_it_leaves_a_repeated_creation_and_one_that_was_placed_to_the_scheduler(
    run_scenario: Callable[..., None],
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        scheduler = await reported(system)

        assert placed(scheduler, create("s1")._replace(repeated=True)) is None
        assert placed(scheduler, create("s1")) is not None
        assert placed(scheduler, create("s1")) is None

    run_scenario(scenario)


def test_it_waits_for_no_backend_that_has_not_reported(
    run_scenario: Callable[..., None],
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        scheduler = await reported(system)
        scheduler.backend_reports.forget("plain")
        scheduler.backend_reports.expect(["plain", "served"])

        assert placed(scheduler, create("s1")) is None

    run_scenario(scenario)
