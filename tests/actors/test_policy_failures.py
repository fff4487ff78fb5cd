"""Snapshot policies and due deletions when shares or policies fail: the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from share_actors.actors.manager import periodic_tasks, snapshot_policies
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.snapshot_policies import SnapshotPolicies, snapshot_id
from share_actors.errors import LogError, NotFound, Outdated, Refused, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.share.messages import DeleteDueShare
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.events.snapshot_policy import DetachShares, RecordRun
from share_actors.values import Page, PolicyRun, Share, Snapshot, SnapshotPolicy, SnapshotSchedule
from tests.events.share_events import NOON

HOURLY = SnapshotSchedule.hourly(1)
HOUR = timedelta(hours=1)


def policy(policy_id: str, *shares: str, **fields: Any) -> SnapshotPolicy:
    own = {"id": policy_id, "name": "hourly", "project_id": "demo", "status": "active"}
    since = {"since": {"3600": NOON}, "schedules": (HOURLY,), "shares": shares}
    return SnapshotPolicy.model_validate({**own, **since, **fields})


def share(share_id: str, **fields: Any) -> Share:
    own = {"id": share_id, "project_id": "demo", "status": "available"}
    return Share.model_validate({**own, **fields})


class World:
    """A catalog and an entity client over fixed shares and policies; it has the commands that were sent."""

    def __init__(self, policies: Iterable[SnapshotPolicy] = (), *shares: Share) -> None:
        self.policies = {f"snapshot_policy:{each.id}": each for each in policies}
        self.shares = {each.id: each for each in shares}
        self.told: list[tuple[str, Command]] = []
        self.errors: dict[str, ShareActorsError] = {}
        self.silent: set[str] = set()
        self.now = NOON + HOUR

    async def ask(self, query: str, **filters: Any) -> Any:
        if query == "share":
            return self.shares.get(filters["share_id"])
        return Page(tuple(self.shares.values()), None)

    async def tell(self, address: str, command: Command, _context: Any) -> None:
        if address in self.silent:
            await asyncio.Event().wait()
        self.told.append((address, command))
        if address in self.errors:
            raise self.errors[address]

    async def view(self, _kind: Any, address: str) -> SnapshotPolicy:
        return self.policies[address]

    async def pages(self, _query: str, **_filters: str) -> AsyncIterator[list[Any]]:
        yield list(self.policies.values())

    def clock(self) -> datetime:
        return self.now

    def runner(self) -> SnapshotPolicies:
        return SnapshotPolicies(cast("Any", self), cast("Any", self), self.pages, self.clock)

    def sent(self, kind: type[Command]) -> list[str]:
        return [address for address, command in self.told if type(command) is kind]

    def runs(self) -> list[PolicyRun]:
        return [command.run for _, command in self.told if isinstance(command, RecordRun)]


@pytest.fixture(autouse=True)
def short_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_policies, "TRY_S", 0.01)
    monkeypatch.setattr(periodic_tasks, "TRY_S", 0.01)


def test_a_share_that_never_answers_does_not_stop_the_others() -> None:
    world = World([policy("p", "s", "t"), policy("q", "t")], share("s"), share("t"))
    world.silent, runner = {"s"}, world.runner()

    asyncio.run(runner.run_due())
    assert world.sent(CreateSnapshot) == ["t", "t"]
    assert world.sent(RecordRun) == ["snapshot_policy:q"]

    world.now += timedelta(minutes=11)
    asyncio.run(runner.run_due())
    assert [run.failed for run in world.runs() if run.failed] == [
        {"s": "there has been no reply for 0.01 s"}
    ]


@pytest.mark.parametrize("error", [LogError("the disk is full"), Outdated("of a newer version")])
def test_a_policy_that_cannot_be_recorded_does_not_stop_the_others(error: ShareActorsError) -> None:
    world = World([policy("p", "s"), policy("q", "s")], share("s"))
    world.errors["snapshot_policy:p"] = error

    asyncio.run(world.runner().run_due())

    assert world.sent(RecordRun) == ["snapshot_policy:p", "snapshot_policy:q"]


def test_a_time_that_passed_during_an_outage_is_tried_as_long_as_any_other() -> None:
    world = World([policy("p", "s")], share("s"))
    world.now, world.errors["s"] = NOON + 1.9 * HOUR, LogError("the disk is full")
    runner = world.runner()

    asyncio.run(runner.run_due())
    assert world.runs() == []

    del world.errors["s"]
    asyncio.run(runner.run_due())
    assert [(run.at, run.requested) for run in world.runs()] == [(NOON + HOUR, 1)]


@pytest.mark.parametrize(("status", "recorded"), [("extending", 0), ("soft_deleted", 1)])
def test_a_share_that_is_at_work_is_tried_again(status: str, recorded: int) -> None:
    world = World([policy("p", "s")], share("s", status=status))
    world.errors["s"] = Refused(f"the share is {status}")

    asyncio.run(world.runner().run_due())

    assert len(world.runs()) == recorded


def test_shares_of_another_project_and_gone_ones_are_detached_and_told_alike() -> None:
    shares = (share("gone", status="deleted"), share("other", project_id="green"))
    world = World([policy("p", "gone", "other")], *shares)

    asyncio.run(world.runner().run_due())

    assert world.sent(CreateSnapshot) == []
    assert [c.shares for _, c in world.told if isinstance(c, DetachShares)] == [
        ("gone",),
        ("other",),
    ]
    assert len(set(world.runs()[0].failed.values())) == 1


def test_a_snapshot_that_was_requested_is_not_requested_again() -> None:
    new = Snapshot(id=snapshot_id("p", "s", HOURLY, NOON + HOUR), share_id="s", status="error")
    world = World([policy("p", "s")], share("s", snapshots=(new,)))

    asyncio.run(world.runner().run_due())

    assert world.sent(CreateSnapshot) == []
    assert [run.requested for run in world.runs()] == [1]


def test_nothing_is_deleted_by_a_schedule_that_was_changed_since_it_was_listed() -> None:
    times = [NOON - HOUR, NOON]
    held = tuple(
        Snapshot(
            id=snapshot_id("p", "s", HOURLY, at),
            share_id="s",
            name=f"hourly-{at:%Y%m%dT%H%M%SZ}",
            status="available",
        )
        for at in times
    )
    ran = policy("p", "s", runs=(PolicyRun(every_s=3600, at=NOON),))
    world = World([ran], share("s", snapshots=held))
    world.now, runner = NOON, world.runner()

    async def changed(_kind: Any, _address: str) -> SnapshotPolicy:
        return ran.replace(schedules=(SnapshotSchedule.hourly(5),))

    unchanged, world.view = world.view, changed  # type: ignore[assignment, method-assign]
    asyncio.run(runner.run_due())
    assert world.told == []

    world.view = unchanged  # type: ignore[method-assign]
    asyncio.run(world.runner().run_due())
    assert world.sent(DeleteSnapshot) == ["s"]


def test_what_is_known_of_deleted_policies_is_forgotten() -> None:
    world = World([policy("p", "s", runs=(PolicyRun(every_s=3600, at=NOON),))], share("s"))
    runner = world.runner()
    asyncio.run(runner.run_due())
    assert runner._trimmed

    world.policies.clear()
    asyncio.run(runner.run_due())

    assert not runner._trimmed
    assert not runner._first_tries


def test_a_softly_deleted_share_that_cannot_be_deleted_does_not_stop_the_others() -> None:
    due = [share(i, status="soft_deleted", scheduled_to_be_deleted_at=NOON) for i in "abcd"]
    world = World((), *due)
    world.silent = {"a"}
    world.errors = {"b": LogError("the disk is full"), "c": NotFound("it is gone")}
    port: Any = world
    tasks = PeriodicTasks(port, port, port, port, port, port)

    asyncio.run(tasks._delete_due())

    assert world.sent(DeleteDueShare) == ["b", "c", "d"]
