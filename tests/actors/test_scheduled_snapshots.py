"""Snapshots that the manager takes, and deletes, by the schedules of a policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from share_actors import testing
from share_actors.actors.manager.snapshot_policies import SnapshotPolicies
from share_actors.errors import InvalidRequest, Unavailable
from share_actors.events.share.messages import DeleteShare
from share_actors.events.snapshot_policy import AttachShares, CreateSnapshotPolicy
from share_actors.values import RequestContext, Share, SnapshotPolicy, SnapshotSchedule, utc_now
from tests.actors.two_backend_system import TwoBackendSystem
from tests.waiting import until_async

ADDRESS = "snapshot_policy:p"
HOUR = timedelta(hours=1)


async def policy_for(system: TwoBackendSystem, *shares: str, keep: int = 2) -> None:
    """An hourly policy for *shares*, which are created."""
    for share_id in shares:
        await system.create(share_id)
    fields = {"policy_id": "p", "name": "hourly", "project_id": "demo", "user_id": "alice"}
    schedule = SnapshotSchedule.hourly(keep)
    create = CreateSnapshotPolicy.model_validate({**fields, "schedules": (schedule,)})
    await system.ask(ADDRESS, create)
    await system.ask(ADDRESS, AttachShares(shares=shares))


class Later:
    """The part of the manager that takes snapshots, with a clock that is hours ahead."""

    def __init__(self, system: TwoBackendSystem) -> None:
        tasks = system.manager._periodic_tasks
        self.hours = 0
        self.policies = SnapshotPolicies(
            tasks._catalog, tasks._entity_client, tasks._pages, self._now
        )
        self._system = system

    def _now(self) -> datetime:
        return utc_now() + self.hours * HOUR

    async def run_until(self, holds: Callable[[SnapshotPolicy], bool]) -> SnapshotPolicy:
        """Run what is due until the policy is as expected: the catalog follows a little later."""
        seen: list[SnapshotPolicy] = []

        async def look() -> bool:
            await self.policies.run_due()
            seen.append(await self._system.manager.view(ADDRESS))
            return holds(seen[-1])

        await until_async(look)
        return seen[-1]


def runs(number: int) -> Callable[[SnapshotPolicy], bool]:
    """Whether the last run was *number* hours after the first possible one or later."""
    return lambda policy: bool(policy.runs) and policy.runs[0].requested >= number


async def names(system: TwoBackendSystem, share_id: str) -> list[str]:
    share: Share = await system.share(share_id)
    return [snapshot.name or "" for snapshot in share.snapshots]


def test_each_share_gets_a_snapshot_and_older_ones_are_deleted(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await policy_for(system, "s", "t")
        later = Later(system)
        for later.hours in (1, 2, 3):
            times = later.hours

            def ran(policy: SnapshotPolicy, times: int = times) -> bool:
                return len(policy.runs) == 1 and policy.runs[0].at > utc_now() + (times - 2) * HOUR

            await later.run_until(ran)

        async def trimmed() -> bool:
            await later.policies.run_due()
            return [len(await names(system, share)) for share in "st"] == [2, 2]

        await until_async(trimmed)
        share: Share = await system.share("s")
        assert {snapshot.status for snapshot in share.snapshots} == {"available"}

    run_scenario(scenario)


def test_a_run_that_is_repeated_takes_nothing_twice_and_missed_times_are_told(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await policy_for(system, "s")
        later, again = Later(system), Later(system)
        later.hours = again.hours = 5

        policy = await later.run_until(runs(1))
        await again.policies.run_due()
        await again.policies.run_due()

        assert policy.missed == policy.runs[0].missed == 4
        assert len(await names(system, "s")) == 1
        history = await system.cluster.history(ADDRESS)
        assert [type(r.event).__name__ for r in history].count("PolicyRan") == 1

    run_scenario(scenario)


def test_a_deleted_share_is_detached_and_the_others_get_their_snapshots(run_scenario: Any) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await policy_for(system, "s", "t")
        await system.ask("t", DeleteShare())
        later = Later(system)
        later.hours = 1

        policy = await later.run_until(lambda policy: policy.shares == ("s",) and bool(policy.runs))

        assert policy.runs[0].requested == 1
        assert "detached" in policy.runs[0].failed["t"]
        assert len(await names(system, "s")) == 1

    run_scenario(scenario)


def test_a_share_that_cannot_be_reached_is_tried_again_before_the_run_is_recorded(
    run_scenario: Any,
) -> None:
    async def scenario(system: TwoBackendSystem) -> None:
        await policy_for(system, "s")
        later = Later(system)
        client = later.policies._entity_client
        tell, attempts = client.tell, list[str]()

        async def once_unavailable(address: str, *args: Any) -> None:
            if address == "s":
                attempts.append(address)
            if address == "s" and len(attempts) == 1:
                raise Unavailable("its host does not answer")
            await tell(address, *args)

        client.tell = once_unavailable  # type: ignore[assignment, method-assign]
        schedule = SnapshotSchedule.hourly(2)
        later.policies._clock = lambda: schedule.latest(utc_now()) + HOUR
        try:
            policy = await later.run_until(lambda policy: bool(policy.runs))
        finally:
            client.tell = tell  # type: ignore[method-assign]

        assert attempts[:2] == ["s", "s"]
        assert (policy.runs[0].requested, policy.runs[0].failed) == (1, {})

    run_scenario(scenario)


def test_a_public_share_of_another_project_is_not_attached() -> None:
    with testing.sync_system() as system:
        blue, green = (
            system.as_user(RequestContext(user_id="bob", project_id=project, roles=("admin",)))
            for project in ("blue", "green")
        )
        public = green.create_share(size=1, is_public=True)
        blue.snapshot_policies.create("nightly", [SnapshotSchedule.daily(7)])

        with pytest.raises(InvalidRequest, match="is not of project 'blue'"):
            blue.snapshot_policies.attach("nightly", [public.id])
        assert blue.snapshot_policies.get("nightly").shares == ()
